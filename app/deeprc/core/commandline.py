"""A command line of Deep RC: what would be lost unseen is refused.

That is the first value of an option that is given twice; and an empty value, as a shell's variable gives that is not
set: it would count as not given, and an empty path as the current folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from deeprc.core.errors import ConfigError


class _NothingLost:
    """Takes each option once, but for those that may be repeated, and no empty values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises
        ------
        ConfigError
            For an option with one value that is given more often; for `--yes` and `--no-yes` together; for an empty
            value. Arguments may be empty where they are any number of words, such as a command to be run.
        """
        values, _, given = self.make_parser(ctx).parse_args(args=[*args])
        for option, times in Counter(given).items():
            if times > 1 and takes_one(option) and not ctx.resilient_parsing:  # a shell that completes
                raise ConfigError(f"{option.opts[0]} is given {times} times", expected="one value", fix="name one")
        for parameter in [] if ctx.resilient_parsing else self.params:
            value, name = values.get(parameter.name), parameter.opts[0]
            if empty(value) and (parameter.nargs != -1 or _of_paths(get_type_hints(self.callback)[parameter.name])):
                what = name if name.startswith("-") else f"the argument {name.upper()}"
                fix = "give one, or leave it out; a variable of the shell that is not set gives an empty one"
                raise ConfigError(f"{what} is empty", found="''", expected="a value", fix=fix)
        return super().parse_args(ctx, args)


class _Command(_NothingLost, TyperCommand):
    pass


class _Group(_NothingLost, TyperGroup):
    pass


class CommandLine(typer.Typer):
    """As `typer.Typer`, for every command line that we have: each command and group of it is strict."""

    def __init__(self, **options: Any) -> None:
        shown = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": "markdown"}
        super().__init__(cls=_Group, **shown, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Callable], Callable]:
        """Add a command, as `typer.Typer.command` does."""
        return super().command(name, cls=_Command, **options)


def empty(value: Any) -> bool:
    """Whether a value, or one of several, is the empty text."""
    return value == "" or (isinstance(value, (list, tuple)) and "" in value)


def _of_paths(hint: Any) -> bool:
    return hint is Path or any(map(_of_paths, get_args(hint)))


def takes_one(given: Any) -> bool:
    """Whether a parameter of a command is an option that has one value, and so may be given once."""
    if given.param_type_name != "option":
        return False
    return not (given.multiple or given.count or (given.is_flag and not given.secondary_opts))
