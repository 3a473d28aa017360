"""Plans on runtimes whose ranks share one container on each node: podman-hpc, and CSCS's Container Engine."""

import tomllib

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from samples.sites import cluster

A100 = {"accelerator": {"vendor": "nvidia", "model": "A100", "count": 4, "reversed": True}}
HOOKS = ["com.hooks.aws_ofi_nccl.enabled=true", "com.hooks.aws_ofi_nccl.variant=cuda-dl"]
HOOK = {"when": {"comm": ["ccl"], "nodes": "several"}, "flags": HOOKS}


def plan(kind: str, image: str = "cuda12-mpich-ofi", comm: str = "ccl", **parts):
    site = cluster(partition=A100, runtime={"kind": kind}, **parts)
    return compose(site, site.partition(), Layout(8, 16, 1, 2), ["run"], image=load_catalog().image(image), comm=comm)


def test_ranks_in_one_container_choose_their_own_accelerator():
    made = plan("podman-hpc")
    assert made.launcher[-2:] == ["--gpus-per-node=4", "--gpu-bind=none"]
    assert "all=(3 2 1 0); at=$((SLURM_LOCALID * 1))" in made.binding[2]
    assert "4 - 1 - SLURM_LOCALID" in plan("podman-hpc", comm="mpi").binding[2]
    assert made.runtime[:2] == ["podman-hpc", "shared-run"]
    assert made.runtime[-1] == "localhost/deeprc/cuda12-mpich-ofi"


def test_podman_hpc_passes_on_what_the_task_needs():
    made = plan("podman-hpc", settings=[{"environment": {"NCCL_CROSS_NIC": 1}}])
    passed = [word for before, word in zip(made.runtime, made.runtime[1:], strict=False) if before == "--env"]
    assert passed[:3] == ["OMP_NUM_THREADS", "NCCL_CROSS_NIC", "CUDA_VISIBLE_DEVICES"]


def test_mpi_is_gpu_aware_without_nccl_only():
    assert "--cuda-mpi" in plan("podman-hpc", comm="mpi").runtime
    assert "--cuda-mpi" not in plan("podman-hpc").runtime


def test_slurm_starts_the_container_and_the_file_says_what_is_in_it():
    made = plan("container-engine", settings=[HOOK], storage={"image_cache": "$SCRATCH/images"})
    [(path, text)] = made.files.items()
    assert f"--environment={path}" in made.launcher
    assert made.runtime == []
    assert made.launcher.index("--gpus-per-node=4") < made.launcher.index(f"--environment={path}")
    content = tomllib.loads(text)
    assert content["image"] == "${SCRATCH}/images/cuda12-mpich-ofi.sqsh"
    assert content["annotations"]["com"]["hooks"]["aws_ofi_nccl"] == {"enabled": "true", "variant": "cuda-dl"}
    assert made.record()["files"] == {path: text}


def test_a_hook_that_brings_the_plugin_is_no_reason_to_warn():
    # This image has no OFI plugin of its own.
    image = "cuda12-openmpi-ucx"
    mpi = [
        {"implementation": "openmpi", "version": "5.0", "family": "openmpi", "bindable": False, "pmi": ["pmix"]},
    ]
    bare = plan("container-engine", image, mpi=mpi)
    assert any("falls back to TCP" in line and "NCCL" in line for line in bare.warnings)
    hooked = plan("container-engine", image, mpi=mpi, settings=[HOOK])
    assert not any("NCCL" in line for line in hooked.warnings)
