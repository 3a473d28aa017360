"""A site's MPI as Spack's external: its whole version, what compiles with it, each partition's own, and its network."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.spack import app
from deeprc.core.errors import ConfigError
from deeprc.images.catalog import load_catalog
from deeprc.sites import Site, known_sites, load_site
from deeprc.sites.software import Mpi
from deeprc.spack.build import Build, prepare
from deeprc.spack.choose import choose
from deeprc.spack.externals import externals
from deeprc.spack.mpi import mpi_external
from deeprc.spack.tree import spack_folder
from samples.sites import PLAIN

CATALOG, TREE = load_catalog(), spack_folder()
SLINGSHOT = {"fabric": "slingshot", "description": "Slingshot-11", "provider": "cxi"}


def site(mpi: dict, *, net: dict = SLINGSHOT, partitions: list[dict] = (), name: str = "example") -> Site:
    parts = [{"name": "main", "architecture": "x86_64", "cores": 64} | each for each in partitions or [{}]]
    runs = {"scheduler": {"name": "slurm"}, "launcher": {"name": "srun"}, "runtime": {"kind": "apptainer"}}
    return Site.model_validate(PLAIN | runs | {"name": name, "interconnect": net, "mpi": [mpi], "partitions": parts})


def cray(**facts) -> dict:
    return {"implementation": "cray-mpich", "family": "mpich"} | facts


def intel(**facts) -> dict:
    return {"implementation": "intel-mpi", "family": "mpich"} | facts


def openmpi(**facts) -> dict:
    return {"implementation": "openmpi", "family": "openmpi"} | facts


ONEAPI = "/opt/intel/oneapi"
TAKEN = [
    (cray(version="8.1", modules=["cray-mpich/8.1.31"]), {"spec": "cray-mpich@8.1.31 +wrappers"}),
    (cray(version="8.1", modules=["cray-mpich-abi"], build={"version": "8.1.31", "modules": ["PrgEnv-gnu", "x/1.0"]}),
     {"spec": "cray-mpich@8.1.31 +wrappers", "modules": ["PrgEnv-gnu", "x/1.0"]}),
    (cray(modules=["cray-mpich-abi"], build={"version": "9.0.1", "prefix": "/opt/cray/pe/mpich/9.0.1/ofi/gnu/12.3/"}),
     {"spec": "cray-mpich@9.0.1 +wrappers", "prefix": "/opt/cray/pe/mpich/9.0.1/ofi/gnu/12.3"}),
    # Spack adds mpi/<version>; wrappers by their generic names call the compiler that everything is built with.
    (intel(version="2021.9.0", prefix=f"{ONEAPI}/mpi/2021.9.0"),
     {"spec": "intel-oneapi-mpi@2021.9.0 +generic-names", "prefix": ONEAPI}),
    (intel(prefix=ONEAPI, modules=["impi/21.9.0"]),
     {"spec": "intel-oneapi-mpi@2021.9.0 +generic-names", "prefix": ONEAPI}),
    (intel(version="2019.4", modules=["impi"]), {"spec": "intel-mpi@2019.4"}),
    (intel(modules=["impi/19.0.4"]), {"spec": "intel-mpi@19.0.4"}),
    (openmpi(version="4.0.5", modules=["openmpi/4.0.5-gcc10.2.0"]), {"spec": "openmpi@4.0.5"}),
    (openmpi(version="4.1", modules=["gcc/11.2.0", "openmpi/4.1.6"]), {"spec": "openmpi@4.1.6"}),
]  # fmt: skip


@pytest.mark.parametrize(("mpi", "expected"), TAKEN)
def test_spack_is_told_what_makes_it_take_the_facilitys_wrappers(mpi: dict, expected: dict) -> None:
    where = site(mpi)
    external = mpi_external(where.partitions[0], where.mpi[0])
    assert isinstance(external, dict), external
    assert expected.items() <= external.items()
    assert ("prefix" in external) == ("prefix" in expected)


LEFT_OUT = [
    (cray(version="8.1", modules=["cray-mpich"]), "8.1 is not its whole version"),
    (cray(version="8.1.4", modules=["cray-mpich/8.1.4"]), "cray-mpich 8.1.4 has no compiler wrappers"),
    (cray(version="8.1.31", modules=["rocm", "cray-mpich-abi/8.1.31"]), "cray-mpich-abi/8.1.31 is for running"),
    (intel(version="2021.9.0", modules=["intel-mpi/2021.9.0"]), "its prefix must be named"),
    (intel(version="2021.9", prefix=ONEAPI), "2021.9 is not its whole version"),
    (openmpi(version="4.1", modules=["openmpi"]), "4.1 is not its whole version"),
]


@pytest.mark.parametrize(("mpi", "said"), LEFT_OUT)
def test_where_spack_would_compile_with_something_else_it_is_left_out_with_the_reason(mpi: dict, said: str) -> None:
    """Before, cray-mpich@8.1 went to Spack, which takes gcc for mpicc of everything below 8.1.7."""
    where = site(mpi)
    found = externals(where, where.partitions[0], "mpich")
    assert "mpi" not in found.packages
    assert said in found.text(where, where.partitions[0])


@pytest.mark.parametrize("name", known_sites())
def test_no_shipped_site_gives_spack_half_a_version(name: str) -> None:
    where = load_site(name)
    for part in where.partitions:
        packages = externals(where, part).packages
        if "mpi" in packages:
            (package,) = packages["mpi"]["require:"]
            version = packages[package]["externals"][0]["spec"].partition("@")[2].partition(" ")[0]
            assert version.count(".") >= 2 or package == "intel-mpi"


def test_frontier_and_polaris_compile_with_cray_mpich_not_with_what_jobs_load() -> None:
    for name in ("frontier", "polaris"):
        where = load_site(name)
        (external,) = externals(where, where.partitions[0]).packages["cray-mpich"]["externals"]
        assert external["spec"].endswith("+wrappers")
        assert not [module for module in external["modules"] if "abi" in module]
        assert "cray-mpich-abi" in where.mpi[0].modules


def test_intel_mpi_before_oneapi_has_a_layer_and_a_recipe_of_its_own() -> None:
    where = load_site("frontera")
    for part in where.partitions:
        assert choose(where, part, CATALOG, TREE).layers["mpi"] == "mpi/intel-mpi"
    assert (TREE / "repo/spack_repo/deeprc/packages/intel_mpi/package.py").is_file()


TWO = [{"name": "cpu", "modules": ["gcc/9.2.0", "openmpi/4.1.1"]}, {"name": "gpu", "modules": ["openmpi/4.0.4-nocuda"]}]


def test_each_partition_has_its_own_externals_where_they_differ(tmp_path: Path) -> None:
    """Before, the MPI of neither partition was found, and the first one's file stood for all."""
    where = site(openmpi(version="4.1.3"), partitions=TWO)
    found = [externals(where, part).packages["openmpi"]["externals"] for part in where.partitions]
    assert found == [
        [{"spec": "openmpi@4.1.1", "modules": ["gcc/9.2.0", "openmpi/4.1.1"]}],
        [{"spec": "openmpi@4.0.4", "modules": ["openmpi/4.0.4-nocuda"]}],
    ]
    run, path = CliRunner(), tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(where.model_dump(mode="json", exclude_defaults=True)))
    refused = run.invoke(app, ["externals", "--site", str(path)])
    assert isinstance(refused.exception, ConfigError)
    assert "cpu, and other externals on gpu" in str(refused.exception)
    assert run.invoke(app, ["externals", "--site", str(path), "--partition", "gpu"]).exit_code == 0
    assert run.invoke(app, ["externals", "--site", "polaris"]).exit_code == 0


def test_a_facilitys_own_file_for_a_partition_counts_more_than_that_for_the_site(tmp_path: Path) -> None:
    where = site(openmpi(version="4.1.3"), partitions=TWO)
    tree = tmp_path / "tree"
    for folder in ("example", "example-gpu"):
        (tree / "sites" / folder).mkdir(parents=True)
        (tree / "sites" / folder / "packages.yaml").write_text(f"packages: {{{folder}: {{buildable: false}}}}\n")
    for part, expected in zip(where.partitions, ("example", "example-gpu"), strict=True):
        prefix = tmp_path / part.name
        prepare(Build(where, part, choose(where, part, CATALOG, TREE), prefix, tree, TREE.parent))
        assert list(yaml.safe_load((prefix / "spack-env/sites/example/packages.yaml").read_text())["packages"]) == [
            expected
        ]


def on(mpi: dict, net: dict = SLINGSHOT, **partition) -> tuple[str, ...]:
    where = site(mpi, net=net, partitions=[partition])
    return choose(where, where.partitions[0], CATALOG, TREE).words


def test_processors_on_slingshot_get_a_libfabric_with_cxi_or_a_word() -> None:
    mvapich = {"implementation": "mvapich", "family": "mpich", "version": "4.0"}
    (word,) = on(mvapich)
    assert word.startswith("mvapich 4.0 as Spack builds it (mpi/mvapich) does not reach Slingshot-11 (cxi)")
    assert on(mvapich, {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}) == ()
    assert on(mvapich | {"version": "4.0.0", "modules": ["mvapich/4.0.0"]}) == ()  # the facility's own
    efa = {"fabric": "efa", "description": "EFA", "provider": "efa"}
    assert "does not reach EFA" in on({"implementation": "mpich", "family": "mpich"}, efa)[0]
    for mpi in (cray(), {"implementation": "mpich", "family": "mpich"}, openmpi()):
        assert on(mpi) == ()


@pytest.mark.parametrize("name", [name for name in known_sites() if load_site(name).status.state != "retired"])
def test_every_shipped_partition_on_slingshot_reaches_it(name: str) -> None:
    where = load_site(name)
    for part in where.partitions:
        if part.accelerator is None:
            assert choose(where, part, CATALOG, TREE).words == ()


def test_the_word_is_told_by_the_command(tmp_path: Path) -> None:
    made = site({"implementation": "mvapich", "family": "mpich", "version": "4.0"})
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(made.model_dump(mode="json", exclude_defaults=True)))
    done = CliRunner().invoke(app, ["variant", "--site", str(path)])
    assert done.stdout == "cpu-mpich\n"
    assert done.stderr.startswith("note: mvapich 4.0")


def test_build_facts_are_facts() -> None:
    assert Mpi.model_validate(cray(build={"version": "8.1.31", "mark": "U"})).build.doubts
