"""Apptainer, and SingularityCE, which has the same command line under another name."""

from __future__ import annotations

from typing import ClassVar

from deeprc.launch.runtimes.base import Container, Inside, register

GPU_FLAGS = {"nvidia": ["--nv"], "amd": ["--rocm"], "intel": []}  # Intel's devices are seen without a flag


@register("apptainer")
class Apptainer(Container):
    """`apptainer exec` once per rank.

    Variables for the container go into the host's environment under a prefix, since `--env` would cut them at commas,
    and since they may name others that only modules set. Several ranks on a node share one namespace: only then can
    they read each other's memory (Apptainer's mpi.rst, `--sharens`).
    """

    suffix: ClassVar[str] = ".sif"
    in_ranks: ClassVar[bool] = True
    prefix: ClassVar[str] = "APPTAINERENV_"
    can_share: ClassVar[bool] = True

    def wrap(self, inside: Inside) -> list[str]:
        """`apptainer exec <gpu flag> <flags> <binds> image`."""
        line = [self.kind, "exec", *(GPU_FLAGS[inside.vendor] if inside.vendor else []), *inside.flags]
        if inside.shares and self.can_share:
            line.append("--sharens")
        if not inside.home:
            line.append("--no-home")
        if inside.clean_environment:
            line.append("--cleanenv")
        for bind in inside.binds:
            line += ["--bind", bind]
        return [*line, inside.image]

    def variables(self, inside: Inside) -> dict[str, str]:
        """The container's variables, under the prefix that the runtime takes off."""
        return {f"{self.prefix}{name}": value for name, value in inside.variables.items()}


@register("singularity")
class Singularity(Apptainer):
    """SingularityCE has no `--sharens`: with its setuid start, ranks are in one user namespace anyway."""

    prefix = "SINGULARITYENV_"
    can_share = False
