"""An option that is given twice is refused: of two values the first would be lost without a word."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand

from deeprc.core.errors import ConfigError


class Once(TyperCommand):
    """A command that takes each option once, but for those that may be repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises
        ------
        ConfigError
            For an option with one value that is given more often.
        """
        _, _, given = self.make_parser(ctx).parse_args(args=[*args])
        for option, times in Counter(given).items():
            single = option.param_type_name == "option" and not (option.multiple or option.is_flag or option.count)
            if single and times > 1:
                raise ConfigError(f"{option.opts[0]} is given {times} times", expected="one value", fix="name one")
        return super().parse_args(ctx, args)
