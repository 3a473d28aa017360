"""Which variant and layers a site gets, built against which MPI."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.spack import app
from deeprc.core.errors import ConfigError
from deeprc.sites import Site, known_sites, load_site
from deeprc.sites.software import Mpi
from deeprc.spack.build import Build, overrides, prepare
from deeprc.spack.choose import choose, target
from deeprc.spack.externals import externals
from deeprc.spack.mpi import PACKAGES
from samples.spack_sites import CATALOG, CRAY, FACTS, NVIDIA, SLINGSHOT, TREE, site

CHOICES = [
    (site(FACTS["openmpi"]), "cpu-openmpi", {}),
    (site({"implementation": "mpich", "family": "mpich"}, net=SLINGSHOT), "cpu-mpich", {"mpi": "mpi/mpich-ofi-cxi"}),
    (site(CRAY, net=SLINGSHOT, accelerator=NVIDIA, cpu="AMD EPYC 7763"), "cuda12-mpich-ofi",
     {"mpi": "mpi/cray-mpich", "target": "target/zen3"}),
    # Neither place nor version of Cray MPICH are known: the variant's own MPI is built, in the same ABI family.
    (site(FACTS["cray-mpich"], net=SLINGSHOT, accelerator=NVIDIA), "cuda12-mpich-ofi", {}),
    (site(FACTS["openmpi"], accelerator=NVIDIA | {"arch": "sm_70"}), "cuda12-openmpi-ucx", {}),
    (site(FACTS["openmpi"], accelerator=NVIDIA | {"arch": "sm_75"}), "cuda12-openmpi-ucx",
     {"gpu": "accel/nvidia-turing-hopper"}),
    (site(FACTS["openmpi"], net={"fabric": "efa", "description": "EFA", "provider": "efa"}, accelerator=NVIDIA),
     "cuda12-openmpi-ucx", {"mpi": "mpi/openmpi-ofi", "plugin": "accel/ofi-plugin"}),
    # NCCL speaks InfiniBand itself, whatever the MPI; on Slingshot it needs its plugin, processors do not.
    # Where nothing more is known of the facility's MPI, one of its family is built for the network.
    (site({"implementation": "intel-mpi", "family": "mpich"}, accelerator=NVIDIA), "cuda12-mpich-ofi",
     {"mpi": "mpi/mpich-ucx", "plugin": "accel/no-ofi-plugin"}),
    (site(FACTS["openmpi"], net=SLINGSHOT), "cpu-openmpi", {"mpi": "mpi/openmpi-ofi"}),
    (site(FACTS["openmpi"], architecture="aarch64", accelerator=NVIDIA | {"arch": "sm_90"}),
     "cuda12-openmpi-ucx-aarch64", {}),
    (site(CRAY, net=SLINGSHOT, accelerator={"vendor": "amd", "model": "MI250X", "arch": "gfx90a", "count": 8}),
     "rocm6-mpich-ofi", {"mpi": "mpi/cray-mpich"}),
    (site({"implementation": "mpich", "family": "mpich"}, net=SLINGSHOT, cpu="Intel Xeon CPU Max 9470C",
          accelerator={"vendor": "intel", "model": "Max 1550", "count": 6}), "oneapi-mpich",
     {"target": "target/sapphirerapids"}),
]  # fmt: skip


@pytest.mark.parametrize(("where", "variant", "layers"), CHOICES, ids=[f"{c[1]}-{n}" for n, c in enumerate(CHOICES)])
def test_variant_and_layers(where: Site, variant: str, layers: dict) -> None:
    choice = choose(where, where.partitions[0], CATALOG, TREE)
    assert (choice.variant.name, choice.layers, choice.gpu) == (variant, layers, None)


def test_fronteras_variant_is_for_infiniband_and_its_gpus() -> None:
    where = load_site("frontera")
    choice = choose(where, where.partition("rtx"), CATALOG, TREE)
    assert (choice.variant.name, choice.layers["mpi"], choice.gpu) == ("cuda12-mpich-ucx", "mpi/intel-mpi", None)
    gpu = next(layer for layer in choice.variant.layers if layer.name.startswith("accel/nvidia-"))
    assert gpu.data["packages"]["nccl"]["require"] == ["cuda_arch=75,80,90"]


def test_a_gpu_that_no_layer_names_gets_one(tmp_path: Path) -> None:
    where = site(FACTS["openmpi"], accelerator=NVIDIA | {"arch": "sm_86", "model": "A40"})
    choice = choose(where, where.partitions[0], CATALOG, TREE)
    assert choice.gpu == ("cuda_arch", "86")
    build = Build(where, where.partitions[0], choice, tmp_path, TREE, TREE.parent)
    prepare(build)
    layer = yaml.safe_load(Path(overrides(build)["DEEPRC_SPACK_GPU"]).read_text())
    assert layer["packages"]["nccl"] == {"require": ["cuda_arch=86"]}


def test_a_retired_site_names_its_successor() -> None:
    where = load_site("summit")
    with pytest.raises(ConfigError, match=r"retired on 2024-11-15") as error:
        choose(where, where.partitions[0], CATALOG, TREE)
    assert where.status.successor in str(error.value)


def test_programs_are_built_against_the_mpi_of_the_variants_family() -> None:
    both = [CRAY, FACTS["openmpi"] | {"version": "5.0.5", "modules": ["openmpi/5.0.5"]}]
    where = site(CRAY, net=SLINGSHOT, accelerator=NVIDIA)
    where = Site.model_validate(
        where.model_dump(mode="json") | {"mpi": both, "images": ["cuda12-openmpi-ucx", "cuda12-mpich-ofi"]}
    )
    choice = choose(where, where.partitions[0], CATALOG, TREE)
    assert (choice.variant.name, choice.layers["mpi"]) == ("cuda12-openmpi-ucx", "mpi/openmpi-ofi")
    assert externals(where, where.partitions[0]).packages["mpi"]["require:"] == ["cray-mpich"]
    assert externals(where, where.partitions[0], choice.family).packages["mpi"]["require:"] == ["openmpi"]


def test_no_variant_for_what_the_catalog_has_not() -> None:
    where = site({"implementation": "spectrum-mpi", "family": "openmpi"}, architecture="ppc64le")
    with pytest.raises(ConfigError, match="no Spack variant") as error:
        choose(where, where.partitions[0], CATALOG, TREE)
    assert "ppc64le" in str(error.value)


@pytest.mark.parametrize(
    ("cpu", "name"),
    [
        ("AMD EPYC 7A53", "zen3"),
        ("AMD EPYC 7543P", "zen3"),
        ("AMD EPYC 9454", "zen3"),
        ("AMD EPYC 7742", "x86_64_v3"),
        ("Intel Xeon Platinum 8280", "x86_64_v3"),
        ("Intel Xeon Platinum 8468", "sapphirerapids"),
        (None, "x86_64_v3"),
    ],
)
def test_target(cpu: str | None, name: str) -> None:
    assert target(site(FACTS["openmpi"], cpu=cpu).partitions[0]) == name


def required(packages: dict) -> str | None:
    """The package that a packages.yaml requires as its MPI."""
    entry = packages.get("mpi", {})
    return next(iter(entry.get("require:") or entry.get("require") or []), None)


def agree(where: Site, partition, family: str) -> None:
    """What the variant's MPI layer requires, and what `deeprc spack externals` has."""
    choice = choose(where, partition, CATALOG, TREE)
    own = next(each.name for each in choice.variant.layers if each.name.startswith("mpi/"))
    layer = choice.layers.get("mpi", own)
    named = required(yaml.safe_load((TREE / f"{layer}.yaml").read_text())["packages"])
    found = externals(where, partition, family).packages
    assert required(found) in (named, None), "the externals require another MPI than the variant"
    mpis = set(PACKAGES.values()) & found.keys()
    assert mpis <= {named}, "the externals hold an MPI that is not the variant's"


# Where no variant is, and why: a list, so that a variant that gets lost is not taken for one that never was.
NONE = {
    ("delta", "gpuMI100x8"): "no Spack variant for partition gpuMI100x8 of delta",
    ("summit", "batch"): "summit was retired on 2024-11-15",
}
PAIRS = [(name, part.name) for name in known_sites() for part in load_site(name).partitions]


@pytest.mark.parametrize(("name", "partition"), PAIRS)
def test_variant_and_externals_of_a_site_name_the_same_mpi(name: str, partition: str) -> None:
    where = load_site(name)
    part = where.partition(partition)
    if (name, partition) in NONE:
        with pytest.raises(ConfigError, match=NONE[name, partition]):
            choose(where, part, CATALOG, TREE)
        return
    family = choose(where, part, CATALOG, TREE).family
    agree(where, part, family)
    done = CliRunner().invoke(app, ["externals", "--site", name, "--partition", partition])
    assert done.stdout == externals(where, part, family).text(where, part)


BOTH = [
    [CRAY, FACTS["openmpi"] | {"version": "5.0"}],  # Isambard-AI
    [CRAY, FACTS["openmpi"] | {"version": "5.0", "modules": ["openmpi/5.0"]}],
    [FACTS["openmpi"], {"implementation": "hpcx", "family": "openmpi", "version": "2.21", "prefix": "/opt/hpcx"}],
    [{"implementation": "spectrum-mpi", "family": "openmpi", "version": "10.4", "modules": ["spectrum-mpi"]}],
    [{"implementation": "mvapich", "family": "mpich", "version": "4.0", "prefix": "/opt/mvapich"}, CRAY],
    [{"implementation": "parastation", "family": "mpich", "version": "5.10", "modules": ["psmpi"]}, CRAY],
]


@pytest.mark.parametrize("mpis", BOTH, ids=lambda mpis: "-".join(mpi["implementation"] for mpi in mpis))
def test_they_agree_whatever_mpis_there_are(mpis: list[dict]) -> None:
    where = site(mpis[0]).model_copy(update={"mpi": [Mpi(**mpi) for mpi in mpis], "images": ["cpu"]})
    agree(where, where.partitions[0], choose(where, where.partitions[0], CATALOG, TREE).family)
