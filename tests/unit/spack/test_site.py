"""What a site file becomes: externals, a variant with its layers, and the commands that build it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from deeprc.commands.spack import app
from deeprc.sites import Site, known_sites, load_site
from deeprc.spack.build import Build, overrides, prepare
from deeprc.spack.choose import choose
from deeprc.spack.externals import externals
from deeprc.spack.tree import read_variant
from samples.spack_sites import CATALOG, CRAY, FACTS, NVIDIA, SLINGSHOT, TREE, site


def written(where: Site) -> dict:
    part = where.partitions[0]
    return yaml.safe_load(externals(where, part).text(where, part))["packages"]


def test_externals_exactly() -> None:
    where = site(
        FACTS["cray-mpich"]
        | {"version": "8.1.32", "prefix": "/opt/cray/pe/mpich/8.1.32", "modules": ["cray-mpich/8.1.32"]},
        net=SLINGSHOT,
        modules=["use /soft/modulefiles", "cudatoolkit/24.11_12.6", "libfabric/1.22.0"],
    )
    assert (
        externals(where, where.partitions[0]).text(where, where.partitions[0])
        == """\
# What example (partition main) has already. Written by `deeprc spack externals`.
# MPI: of the ABI family mpich.
# Before Spack is started: module use /soft/modulefiles
packages:
  cray-mpich:
    buildable: false
    'require:':
    - '@=8.1.32'
    externals:
    - spec: cray-mpich@8.1.32 +wrappers
      prefix: /opt/cray/pe/mpich/8.1.32
      modules:
      - cray-mpich/8.1.32
  mpi:
    buildable: false
    'require:':
    - cray-mpich
  cuda:
    buildable: false
    'require:':
    - '@=12.6'
    externals:
    - spec: cuda@12.6
      modules:
      - cudatoolkit/24.11_12.6
  libfabric:
    buildable: false
    'require:':
    - '@=1.22.0'
    externals:
    - spec: libfabric@1.22.0 fabrics=cxi
      modules:
      - libfabric/1.22.0
"""
    )


def test_a_version_may_come_from_the_module() -> None:
    packages = written(site(FACTS["openmpi"] | {"modules": ["gcc/11.2.0", "openmpi/4.1.6"]}))
    assert packages["openmpi"]["externals"] == [{"spec": "openmpi@4.1.6", "modules": ["gcc/11.2.0", "openmpi/4.1.6"]}]
    assert packages["mpi"] == {"buildable": False, "require:": ["openmpi"]}


@pytest.mark.parametrize(
    ("mpi", "said"),
    [
        (FACTS["openmpi"] | {"modules": ["openmpi"]}, "openmpi: the site file names no version of it"),
        (FACTS["openmpi"] | {"version": "5.0.5"}, "openmpi 5.0.5: the site file names no module or prefix of it"),
        (
            {"implementation": "parastation", "version": "5.10", "family": "mpich", "modules": ["psmpi"]},
            "no such package",
        ),
    ],
)
def test_what_is_not_enough_is_left_out_and_told(mpi: dict, said: str) -> None:
    where = site(mpi)
    found = externals(where, where.partitions[0])
    assert found.packages == {}
    assert said in found.text(where, where.partitions[0])


def test_a_module_without_a_version_is_told_once() -> None:
    where = site(FACTS["openmpi"], modules=["rocm"])
    assert externals(where, where.partitions[0]).left_out[1:] == ["module rocm: it names no version of hip"]


def test_rocm_is_never_rebuilt() -> None:
    packages = written(site(FACTS["openmpi"], modules=["rocm/6.2.4"]))
    assert {"hip", "rccl", "rocblas", "llvm-amdgpu", "miopen-hip"} <= packages.keys()
    assert all(p["buildable"] is False and p["externals"][0]["modules"] == ["rocm/6.2.4"] for p in packages.values())


@pytest.mark.parametrize("name", known_sites())
def test_externals_of_shipped_sites_have_the_form(name: str) -> None:
    definitions = json.loads((TREE / "schema.json").read_text())["definitions"]
    validator = Draft7Validator({"$ref": "#/definitions/packages", "definitions": definitions})
    where = load_site(name)
    for part in where.partitions:
        packages = yaml.safe_load(externals(where, part).text(where, part))["packages"]
        assert list(validator.iter_errors(packages)) == []


def test_prefix_has_the_tree_with_the_site_and_no_locks(tmp_path: Path) -> None:
    where = site(CRAY, net=SLINGSHOT, accelerator=NVIDIA)
    build = Build(
        where, where.partitions[0], choose(where, where.partitions[0], CATALOG, TREE), tmp_path, TREE, TREE.parent
    )
    prepare(build)
    assert not list((tmp_path / "spack-env").rglob("spack.lock"))
    values = overrides(build)
    assert set(values) == {"DEEPRC_SPACK_SITE", "DEEPRC_SPACK_MPI"}
    assert all(Path(path).exists() for path in values.values())
    repositories = yaml.safe_load((tmp_path / "spack-scope" / "repos.yaml").read_text())["repos:"]
    assert list(repositories) == ["deeprc", "builtin"]  # ours first: its pyarrow stands before Spack's
    assert (Path(repositories["deeprc"].replace("$DEEPRC_SPACK_PREFIX", str(tmp_path))) / "repo.yaml").is_file()
    assert read_variant(build.environment / "spack.yaml").name == "cuda12-mpich-ofi"


def test_command_line(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(app, ["variant", "--site", "localhost"]).output == "cpu-mpich\n"
    out = tmp_path / "packages.yaml"
    assert run.invoke(app, ["externals", "--site", "localhost", "--out", str(out)]).exit_code == 0
    assert "packages" in yaml.safe_load(out.read_text())
    assert "no fault" in run.invoke(app, ["check"]).output
