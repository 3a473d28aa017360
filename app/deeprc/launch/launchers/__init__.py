"""How ranks are started: one file per launcher, found by its name."""

from deeprc.launch.launchers import fork, hydra, ibrun, jsrun, openmpi, pals, srun  # noqa: F401  each registers itself
from deeprc.launch.launchers.base import Launcher, Layout, known_launchers, launcher, unknown_launchers

__all__ = ["Launcher", "Layout", "known_launchers", "launcher", "unknown_launchers"]
