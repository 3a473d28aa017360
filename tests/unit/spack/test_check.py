"""The Spack tree is without fault, and each rule finds the fault that it is for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from deeprc.core.validation import read_yaml
from deeprc.images.catalog import load_catalog
from deeprc.spack.check import check
from deeprc.spack.tree import TARGETS, layers, spack_folder, variants

TREE = spack_folder()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree that a test may spoil."""
    return Path(
        shutil.copytree(TREE, tmp_path / "spack-env", ignore=shutil.ignore_patterns("spack.lock", ".spack-env"))
    )


def test_the_tree_has_no_fault() -> None:
    assert check(TREE, load_catalog()) == []


SPOILT = [
    # A form that Spack itself would refuse, or would take for something else.
    ("common/stack.yaml", "'py-numpy@2.1:'", "py-numpy@2.1:", "is not of type 'string'"),
    ("common/stack.yaml", "unify:", "unity:", "'unity' was unexpected"),
    ("common/stack.yaml", "python@3.12\n", "python@@3.12\n", "does not match"),
    ("mpi/mpich.yaml", "require: [mpich]", "require: mpich", "is not of type 'array'"),
    # Faults that Spack's own schema lets pass.
    ("sites/generic/packages.yaml", "      prefix: /usr\n", "", "is not valid under any of the given schemas"),
    ("variants/cpu-mpich/spack.yaml", "../../accel/cpu.yaml", "../../accel/cpus.yaml", "no such file or folder"),
    ("variants/cpu-mpich/spack.yaml", "DEEPRC_SPACK_MPI", "DEEPRC_SPACK_GPU", "overridden by DEEPRC_SPACK_MPI"),
    ("variants/cpu-mpich/spack.yaml", "mpi/mpich.yaml", "mpi/openmpi-ucx.yaml", "the catalog's image is of mpich"),
    ("variants/cpu-mpich/spack.yaml", "x86_64_v3", "neoverse_v2", "is for aarch64, the variant for x86_64"),
    ("mpi/mpich-ofi-cxi.yaml", "@3.4.3", "@4.2.3", "the catalog says mpich 3.4.3"),
    ("mpi/mpich-ucx.yaml", "@5.0.1", "@5.0.0", "the catalog says mpich 5.0.1"),
    ("mpi/openmpi-ucx.yaml", "@5.0.10", "@5.0.8", "the catalog says openmpi 5.0.10"),
    ("accel/cuda12.yaml", "cuda: {require: [\"@12.8\"]}", "cuda: {require: [\"@12.4\"]}", "the catalog says 12.8"),
    ("accel/nvidia-ampere-hopper.yaml", '  nccl: {require: ["cuda_arch=80,90"]}\n', "", "nccl needs cuda_arch"),
    ("accel/nvidia-ampere-hopper.yaml", '  py-torch: {require: ["cuda_arch=80,90"]}\n', "", "py-torch needs cuda_arch"),
    ("accel/amd-mi200.yaml", '  rccl: {require: ["amdgpu_target=gfx90a"]}\n', "", "rccl needs amdgpu_target"),
    ("accel/nvidia-ampere-hopper.yaml", '  nccl: {require: ["cuda_arch=80,90"]}', '  nccl: {require: ["cuda_arch=80"]}',
     "nccl cuda_arch=80, the catalog says 80,90"),
    ("mpi/mpich-ofi-cxi.yaml", "fabrics=cxi,", "fabrics=", "aws-ofi-nccl needs libfabric with one of"),
    ("accel/rocm6.yaml", "+rocm~cuda\"]}\n  py-torch", "+cuda\"]}\n  py-torch", "must be required with +rocm"),
    ("accel/cpu.yaml", "packages:", "definitions:\n- stack: [py-torch]\npackages:", "py-torch is asked for in"),
    ("common/stack.yaml", "type: runpath", "type: rpath", "must be runpath"),
    ("accel/cuda12.yaml", '  nccl: {require: ["@2.29.7"]}', '  nccl: {require: ["@2.29.7"], prefer: ["+x"]}', "hides"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), SPOILT, ids=[f"{s[0]}-{s[3][:24]}" for s in SPOILT])
def test_a_fault_is_found(tree: Path, file: str, old: str, new: str, fault: str) -> None:
    path = tree / file
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    found = check(tree, load_catalog())
    assert any(fault in line for line in found), found


def test_variant_without_image_and_image_without_variant(tree: Path) -> None:
    (tree / "variants" / "cpu-mpich").rename(tree / "variants" / "cpu-mpc")
    assert [line.split(": ")[-1] for line in check(tree, load_catalog())] == [
        "no variant for cpu-mpich on x86_64, which the image catalog has",
        "the image catalog has no cpu-mpc for x86_64",
    ]


def test_every_layer_is_of_use() -> None:
    """MPI layers, targets and GPU layers may be swapped in; all others must stand in a variant."""
    used = {layer.name for variant in variants(TREE) for layer in variant.layers}
    swapped_in = {layer.name for layer in layers(TREE) if layer.name.startswith(("mpi/", "target/", "accel/nvidia-"))}
    assert {layer.name for layer in layers(TREE)} - swapped_in <= used | {"sites/generic"}
    assert {name.partition("/")[2] for name in swapped_in if name.startswith("target/")} == set(TARGETS)


LOCKS = sorted(TREE.glob("variants/*/spack.lock"))


@pytest.mark.parametrize("path", LOCKS, ids=[path.parent.name for path in LOCKS])
def test_lock_is_of_the_pinned_versions_and_of_this_tree(path: Path) -> None:
    variant = next(v for v in variants(TREE) if v.name == path.parent.name)
    lock, pins = json.loads(path.read_text()), read_yaml(TREE / "versions.yaml")
    assert f"v{lock['spack']['version']}" == pins["spack"]["tag"]
    assert lock["spack-packages"] == {"tag": pins["packages"]["tag"], "commit": pins["packages"]["commit"]}
    assert sorted(root["spec"].partition("@")[0] for root in lock["roots"]) == sorted(
        spec.partition("@")[0] for spec in variant.specs
    )
    specs = {spec["name"]: spec for spec in lock["concrete_specs"].values()}
    image = next(image for image in load_catalog().images if variant.image in image.variants())
    mpi = specs[variant.requirements("mpi")[0]]
    if image.route == "spack":
        assert f"{mpi['name']} {mpi['version']}" == image.variants()[variant.image].title
    target = variant.layer("target").name.partition("/")[2]
    built = [spec for spec in specs.values() if "external" not in spec]
    assert {name for spec in built if (name := _target(spec)) != target} == set()
    if "py-torch" in specs:
        assert specs["py-torch"]["parameters"]["mpi"] is True
        assert specs["py-torch"]["parameters"]["distributed"] is True


@pytest.mark.parametrize("path", LOCKS, ids=[path.parent.name for path in LOCKS])
def test_lock_tells_of_no_place(path: Path) -> None:
    """Nothing of the machine that it was made on, and no address that something is fetched from."""
    text = path.read_text()
    assert "://" not in text
    names = {word for word in text.split('"') if word.startswith("/")}
    assert names <= {"/usr", "/usr/bin/gcc", "/usr/bin/g++", "/usr/bin/gfortran"}


def _target(spec: dict) -> str:
    target = spec["arch"]["target"]
    return target if isinstance(target, str) else target["name"]
