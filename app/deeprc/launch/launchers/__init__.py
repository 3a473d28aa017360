"""How ranks are started: one file per launcher, found by its name."""

from deeprc.core.registry import import_all
from deeprc.launch.launchers.base import Launcher, Layout, known_launchers, launcher, unknown_launchers

__all__ = ["Launcher", "Layout", "known_launchers", "launcher", "unknown_launchers"]
import_all(__name__, __path__)
