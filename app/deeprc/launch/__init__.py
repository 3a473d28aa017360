"""The launch line: how a site starts a command on several ranks. One file per launcher, found by its name."""

from deeprc.launch import fork, mpiexec  # noqa: F401  each registers itself
from deeprc.launch.base import Launcher, Layout, launcher

__all__ = ["Launcher", "Layout", "launcher"]
