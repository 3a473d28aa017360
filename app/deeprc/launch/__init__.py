"""The launch line: how a site starts a command on several ranks, in an image that fits it."""

from deeprc.launch.launchers import Layout, launcher
from deeprc.launch.plan import Plan, compose

__all__ = ["Layout", "Plan", "compose", "launcher"]
