"""A command line of Deep RC: an option that is given twice is refused, since the first value would be lost unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from deeprc.core.errors import ConfigError


class _Once:
    """Takes each option once, but for those that may be repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises
        ------
        ConfigError
            For an option with one value that is given more often; for `--yes` and `--no-yes` together.
        """
        _, _, given = self.make_parser(ctx).parse_args(args=[*args])
        for option, times in Counter(given).items():
            if times > 1 and takes_one(option) and not ctx.resilient_parsing:  # a shell that completes
                raise ConfigError(f"{option.opts[0]} is given {times} times", expected="one value", fix="name one")
        return super().parse_args(ctx, args)


class _Command(_Once, TyperCommand):
    pass


class _Group(_Once, TyperGroup):
    pass


class CommandLine(typer.Typer):
    """As `typer.Typer`, for every command line that we have: each command and group of it takes an option once."""

    def __init__(self, **options: Any) -> None:
        shown = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": "markdown"}
        super().__init__(cls=_Group, **shown, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Callable], Callable]:
        """Add a command, as `typer.Typer.command` does."""
        return super().command(name, cls=_Command, **options)


def takes_one(given: Any) -> bool:
    """Whether a parameter of a command is an option that has one value, and so may be given once."""
    if given.param_type_name != "option":
        return False
    return not (given.multiple or given.count or (given.is_flag and not given.secondary_opts))
