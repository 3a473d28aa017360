"""NERSC's podman-hpc."""

from __future__ import annotations

from typing import ClassVar

from deeprc.launch.runtimes.base import Container, Inside, register
from deeprc.sites.hardware import VISIBLE

# By the family of the MPI in the image: etc/modules.d/*.yaml of NERSC/podman-hpc.
OPENMPI = {"pmi2": "--openmpi-pmi2", "pmix": "--openmpi-pmix"}


@register("podman-hpc")
class PodmanHpc(Container):
    """`podman-hpc shared-run`: one container per node, which the node's ranks share.

    Its own flags bring libraries of the host: `--mpi` and `--cuda-mpi` Cray MPICH, `--nccl` the OFI plugin, `--gpu` the
    driver. They pass on SLURM_*, PALS_* and PMI_* and hide all other variables of the job; `--env NAME` passes on one,
    with the value that each rank has. What is said after them, as LD_LIBRARY_PATH, replaces theirs.
    """

    one_per_node: ClassVar[bool] = True

    def address(self, folder: str, name: str) -> str:
        """An image of podman's own store: it runs no files."""
        return f"localhost/deeprc/{name}"

    def wrap(self, inside: Inside) -> list[str]:
        """`podman-hpc shared-run --rm <modules> <binds> <variables> image`."""
        line = ["podman-hpc", "shared-run", "--rm", *(["--gpu"] if inside.vendor else []), *inside.flags]
        if inside.model == "bind":
            line.append("--cuda-mpi" if inside.vendor == "nvidia" and inside.gpu_aware else "--mpi")
        elif inside.model == "hybrid" and inside.family == "openmpi" and inside.pmi in OPENMPI:
            line.append(OPENMPI[inside.pmi])
        if inside.ccl:
            line.append("--nccl")
        if inside.home:
            line.append("--home")
        for bind in inside.binds:
            line += ["--volume", bind if ":" in bind else f"{bind}:{bind}"]
        for name in [*inside.passes, *([VISIBLE[inside.vendor]] if inside.vendor else [])]:
            line += ["--env", name]
        for name, value in inside.variables.items():
            line += ["--env", f"{name}={value}"]
        return [*line, "--workdir", "$PWD", inside.image]
