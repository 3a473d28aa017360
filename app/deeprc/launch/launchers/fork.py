"""One rank needs no launcher."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register


@register("fork")
class Fork(Launcher):
    """The command is started as it is."""

    local_rank = rank = "RP_RANK"

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """None."""
        return []

    def contradicted(self, layout: Layout, *, pmi: str | None) -> None:
        """Nothing: the site's options are those of a launcher that does not stand in the line."""

    def command(self, layout: Layout, **options: object) -> list[str]:
        """Nothing: the command itself is the rank."""
        return []
