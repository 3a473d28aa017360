"""NERSC's podman-hpc."""

from __future__ import annotations

from deeprc.launch.runtimes.base import Container, Inside, register

# By the family of the MPI in the image: etc/modules.d/*.yaml of NERSC/podman-hpc.
OPENMPI = {"pmi2": "--openmpi-pmi2", "pmix": "--openmpi-pmix"}


@register("podman-hpc")
class PodmanHpc(Container):
    """`podman-hpc shared-run`: one container per node, which the node's ranks share.

    Its own flags bring libraries of the host: `--mpi` and `--cuda-mpi` Cray MPICH, `--nccl` the OFI plugin, `--gpu` the
    driver.
    """

    def wrap(self, inside: Inside) -> list[str]:
        """`podman-hpc shared-run --rm <modules> <binds> <variables> image`."""
        line = ["podman-hpc", "shared-run", "--rm", *(["--gpu"] if inside.vendor else []), *inside.flags]
        if inside.model == "bind":
            line.append("--cuda-mpi" if inside.vendor == "nvidia" else "--mpi")
        elif inside.family == "openmpi" and inside.pmi in OPENMPI:
            line.append(OPENMPI[inside.pmi])
        if inside.ccl:
            line.append("--nccl")
        for bind in inside.binds:
            line += ["--volume", bind if ":" in bind else f"{bind}:{bind}"]
        for name, value in inside.variables.items():
            line += ["--env", f"{name}={value}"]
        return [*line, inside.image]
