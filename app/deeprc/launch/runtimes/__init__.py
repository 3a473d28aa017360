"""How an image is run: one file per container runtime, found by its name."""

from deeprc.core.registry import import_all
from deeprc.launch.runtimes.base import HOST_MPI, Container, Inside, container, suffix

__all__ = ["HOST_MPI", "Container", "Inside", "container", "suffix"]
import_all(__name__, __path__)
