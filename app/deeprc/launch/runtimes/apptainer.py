"""Apptainer, and SingularityCE, which has the same command line under another name."""

from __future__ import annotations

from typing import ClassVar

from deeprc.launch.runtimes.base import Container, Inside, register

BROUGHT = "/.singularity.d/libs"  # where a GPU flag puts the host's libraries
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

    def hides(self, inside: Inside) -> str | None:
        """`--cleanenv`, or `--containall`, which is that and more (Apptainer's environment_and_metadata.rst)."""
        if inside.clean_environment:
            return "runtime.clean_environment"
        words = [word.partition("=")[0] for flag in inside.flags for word in flag.split()]
        short = [word for word in words if set(word[1:]) <= set("cCefipsu") and set(word[1:]) & set("Ce")]
        named = [name for name in inside.passes if name.endswith(("_CLEANENV", "_CONTAINALL"))]
        return next(iter([*(word for word in words if word in ("--cleanenv", "--containall")), *short, *named]), None)

    def variables(self, inside: Inside) -> dict[str, str]:
        """The container's variables, under the prefix that the runtime takes off.

        Where LD_LIBRARY_PATH is not set, Apptainer 1.5 has the image's libraries win over those that its GPU flag
        brings (older ones the other way round), and reads PREPEND_LD_LIBRARY_PATH, which older ones do not know. The
        host's MPI is built for what the flag brings.
        """
        variables = dict(inside.variables)
        flag = inside.vendor and GPU_FLAGS[inside.vendor]
        if self.can_share and flag and inside.model in ("bind", "translate") and "LD_LIBRARY_PATH" not in variables:
            variables["PREPEND_LD_LIBRARY_PATH"] = BROUGHT
        return {f"{self.prefix}{name}": value for name, value in variables.items()}


@register("singularity")
class Singularity(Apptainer):
    """SingularityCE has no `--sharens`: with its setuid start, ranks are in one user namespace anyway."""

    prefix = "SINGULARITYENV_"
    can_share = False
