"""CSCS's Container Engine, which Slurm starts itself."""

from __future__ import annotations

from deeprc.launch.runtimes.base import Container, Inside, register


@register("container-engine")
class ContainerEngine(Container):
    """`srun --environment=<file>`: the file (EDF, TOML) names the image, the binds, the variables and the hooks.

    CSCS docs, container-engine/resource-hook.md:106. GPUs are there without a flag.
    """

    def wrap(self, inside: Inside) -> list[str]:
        """Nothing: Slurm starts the ranks within the container."""
        return []

    def launcher_options(self, inside: Inside) -> list[str]:
        """The environment's file."""
        return [f"--environment={inside.image}"]
