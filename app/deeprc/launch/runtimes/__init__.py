"""How an image is run: one file per container runtime, found by its name."""

from deeprc.launch.runtimes import apptainer, container_engine, podman_hpc, shifter  # noqa: F401  each registers itself
from deeprc.launch.runtimes.base import HOST_MPI, Container, Inside, container, suffix

__all__ = ["HOST_MPI", "Container", "Inside", "container", "suffix"]
