"""What only Spack itself can tell. Needs SPACK_ROOT and DEEPRC_SPACK_PACKAGES (docs/spack.md), and no network."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import need
from deeprc.images.catalog import load_catalog
from deeprc.sites import Site
from deeprc.spack.build import Build, overrides, prepare
from deeprc.spack.choose import choose
from deeprc.spack.tree import spack_folder, variants
from samples.sites import PLAIN

pytestmark = [pytest.mark.requires("spack"), pytest.mark.timeout(1800)]
TREE = spack_folder()
HERE = [variant.name for variant in variants(TREE) if variant.architecture == platform.machine()]


@pytest.fixture(scope="session")
def spack(tmp_path_factory: pytest.TempPathFactory):
    """`spack(folder, *arguments, env=…)`: runs Spack in an environment's folder, with the packages that are here."""
    need("spack")
    scope = tmp_path_factory.mktemp("scope")
    packages = Path(os.environ["DEEPRC_SPACK_PACKAGES"]) / "repos" / "spack_repo" / "builtin"
    ours = TREE / "repo" / "spack_repo" / "deeprc"
    (scope / "repos.yaml").write_text(f"repos::\n  deeprc: {ours}\n  builtin: {packages}\n")
    (scope / "bootstrap.yaml").write_text("bootstrap: {enable: false}\n")
    (scope / "config.yaml").write_text(f"config: {{install_tree: {{root: {scope}/store}}}}\n")
    cache = tmp_path_factory.mktemp("cache")

    def run(folder: Path, *arguments: str, env: dict | None = None, before: str = "") -> subprocess.CompletedProcess:
        command = f'{before}\nexec nice "$SPACK_ROOT/bin/spack" -C {scope} -e {folder} "$@"'
        return subprocess.run(
            ["bash", "-l", "-c", command, "spack", *arguments],
            env=os.environ | {"SPACK_DISABLE_LOCAL_CONFIG": "1", "SPACK_USER_CACHE_PATH": str(cache), **(env or {})},
            capture_output=True,
            text=True,
            timeout=1500,
        )

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TREE, tmp_path / "spack-env", ignore=shutil.ignore_patterns(".spack-env")))


@pytest.mark.parametrize("name", HERE)
def test_variant_concretizes(spack, tree: Path, name: str) -> None:
    folder = tree / "variants" / name
    (folder / "spack.lock").unlink(missing_ok=True)
    done = spack(folder, "concretize", "--fresh")
    assert done.returncode == 0, done.stderr
    lock = json.loads((folder / "spack.lock").read_text())
    assert len(lock["roots"]) == len(next(v for v in variants(TREE) if v.name == name).specs)


@pytest.mark.parametrize("name", [name for name in HERE if (TREE / "variants" / name / "spack.lock").is_file()])
def test_committed_lock_is_read(spack, tree: Path, name: str) -> None:
    folder = tree / "variants" / name
    done = spack(folder, "concretize")
    assert done.returncode == 0, done.stderr
    assert "No new specs" in done.stdout + done.stderr


def facility(prefix: Path, modules: Path) -> Site:
    """A site with an MPI that a module brings, and a libfabric, under `prefix`."""
    for name, content in {"mpich/5.0.1": "MPICH_ROOT", "libfabric/1.22.0": "FABRIC_ROOT"}.items():
        root = prefix / name.partition("/")[0]
        for folder, file in (("bin", "mpicc"), ("include", "mpi.h"), ("lib", "libmpi.so")):
            (root / folder).mkdir(parents=True)
            (root / folder / file).touch(mode=0o755)
        file = modules / f"{name}.lua"
        file.parent.mkdir(parents=True)
        file.write_text(
            f'prepend_path("PATH", "{root}/bin")\nprepend_path("LD_LIBRARY_PATH", "{root}/lib")\n'
            f'setenv("{content}", "{root}")\n'
        )
    return Site.model_validate(
        PLAIN
        | {
            "name": "example",
            "scheduler": {"name": "slurm"},
            "launcher": {"name": "srun"},
            "interconnect": {"fabric": "slingshot", "description": "Slingshot-11", "provider": "cxi"},
            "mpi": [{"implementation": "mpich", "family": "mpich", "modules": ["mpich/5.0.1"]}],
            "modules": [f"use {modules}", "libfabric/1.22.0"],
            "partitions": [{"name": "main", "architecture": "x86_64", "cores": 64, "cpu": "AMD EPYC 7763"}],
        }
    )


@pytest.mark.requires("lmod")
def test_modules_of_a_facility_are_used_and_nothing_is_built(spack, tmp_path: Path) -> None:
    """An environment of externals only: Spack asks the facility's modules where things lie, and installs in seconds."""
    site = facility(tmp_path / "opt", tmp_path / "modules")
    part = site.partitions[0]
    build = Build(site, part, choose(site, part, load_catalog(), TREE), tmp_path / "p", TREE, TREE.parent)
    prepare(build)
    path = build.environment / "spack.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["spack"] |= {"specs": ["mpi", "libfabric"], "view": False}
    path.write_text(yaml.safe_dump(manifest))
    use = f". /usr/share/lmod/lmod/init/bash; module use {tmp_path}/modules"
    done = spack(build.environment, "concretize", "--fresh", env=overrides(build), before=use)
    assert done.returncode == 0, done.stderr
    lock = json.loads((build.environment / "spack.lock").read_text())
    specs = {spec["name"]: spec for spec in lock["concrete_specs"].values()}
    assert set(specs) == {"mpich", "libfabric"}
    assert specs["mpich"]["version"] == "5.0.1"
    assert all(spec["external"]["module"] for spec in specs.values())
    done = spack(build.environment, "install", env=overrides(build), before=use)
    assert done.returncode == 0, done.stderr
    done = spack(build.environment, "find", "--format", "{name} {prefix}", env=overrides(build), before=use)
    assert sorted(done.stdout.split("\n")[:2]) == [
        f"libfabric {tmp_path}/opt/libfabric",
        f"mpich {tmp_path}/opt/mpich",
    ]


def test_cray_mpich_in_place_of_the_variants_own(spack, tmp_path: Path) -> None:
    """mpi4py would be built against the facility's MPI; no other MPI comes in."""
    prefix = tmp_path / "mpich"
    (prefix / "include").mkdir(parents=True)
    data = facility(tmp_path / "opt", tmp_path / "modules").model_dump(mode="json")
    mpi = {"implementation": "cray-mpich", "version": "8.1.32", "family": "mpich", "prefix": str(prefix)}
    site = Site.model_validate(data | {"mpi": [mpi], "modules": []})
    part = site.partitions[0]
    build = Build(site, part, choose(site, part, load_catalog(), TREE), tmp_path / "p", TREE, TREE.parent)
    prepare(build)
    # The compiler of the image's base, which a facility has of its own.
    packages = build.prefix / "spack-env" / "sites" / "example" / "packages.yaml"
    found = yaml.safe_load(packages.read_text())
    found["packages"] |= yaml.safe_load((TREE / "sites/generic/packages.yaml").read_text())["packages"]
    packages.write_text(yaml.safe_dump(found))
    path = build.environment / "spack.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["spack"] |= {"specs": ["py-mpi4py@4.1:"]}
    path.write_text(yaml.safe_dump(manifest))
    done = spack(build.environment, "concretize", "--fresh", env=overrides(build))
    assert done.returncode == 0, done.stderr
    lock = json.loads((build.environment / "spack.lock").read_text())
    specs = {spec["name"]: spec for spec in lock["concrete_specs"].values()}
    assert specs["cray-mpich"]["external"]["path"] == str(prefix)
    assert not {"mpich", "openmpi"} & set(specs)
    ask = ("python", str(build.prefix / "programs" / "wrappers.py"))
    done = spack(build.environment, *ask, env=overrides(build))
    assert done.returncode == 1
    assert f"found: {prefix}/bin/mpicc" in done.stderr  # which is not there
    (prefix / "bin").mkdir()
    (prefix / "bin" / "mpicc").touch(mode=0o755)
    assert spack(build.environment, *ask, env=overrides(build)).returncode == 0
    target = specs["py-mpi4py"]["arch"]["target"]
    assert (target if isinstance(target, str) else target["name"]) == "zen3"
