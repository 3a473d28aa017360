"""One rank needs no launcher."""

from __future__ import annotations

from deeprc.launch.base import Launcher, Layout, register


@register("fork")
class Fork(Launcher):
    """The command is started as it is."""

    method = "FORK"

    def command(self, layout: Layout) -> list[str]:
        """Nothing: the command itself is the rank."""
        return []
