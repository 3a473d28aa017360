"""Errors that a person can act on: what was found, what was expected, how to mend it."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable


class DeepRCError(Exception):
    """A failure with a cause that the user can mend; shown without a traceback.

    Parameters
    ----------
    problem
        What is wrong, in one sentence.
    where
        The file, and the line, column or key in it, that is meant.
    found, expected
        What stood there, and what should have.
    fix
        What to do about it.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        where: object = None,
        found: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.problem, self.where, self.found, self.expected, self.fix = problem, where, found, expected, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.problem}" if self.where is not None else self.problem
        rows = (("found", self.found), ("expected", self.expected), ("fix", self.fix))
        return "\n".join([head, *(f"  {name}: {value}" for name, value in rows if value is not None)])


class InputError(DeepRCError):
    """Data or a file that cannot be used as it is."""


class ConfigError(DeepRCError):
    """A configuration that cannot be used as it is."""


def command(*words: object) -> str:
    """Words as a command to be copied, for people: quoted where a shell would take them apart; `…` stands for more."""
    return f"`{' '.join(word if word == '…' else shlex.quote(word) for word in map(str, words))}`"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, or None."""
    lower = {k.lower(): k for k in known}
    match = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return lower[match[0]] if match else None


def unknown(kind: str, name: str, known: Iterable[str], *, where: object = None) -> ConfigError:
    """The error for a name that is not among the known ones, with the nearest of them."""
    known = sorted(known)
    guess = nearest(name, known)
    return ConfigError(
        f"unknown {kind} {name!r}",
        where=where,
        found=name,
        expected="one of " + ", ".join(known),
        fix=f"did you mean {guess!r}?" if guess else None,
    )
