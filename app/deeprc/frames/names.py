"""Names of columns: those a caller gives, and those that no user can have taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from deeprc.core.errors import InputError, nearest

Names = str | Sequence[str]


def names(given: Names, what: str) -> list[str]:
    """The names that a caller gives for `what`.

    Raises
    ------
    InputError
        When there is none, one is given twice, or something is not a name.
    """
    listed = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    for name in listed:
        if not isinstance(name, str):
            raise InputError(
                f"{what}: columns are given by their names",
                found=f"{name!s} ({type(name).__name__})",
                expected="a name or a list of names",
                fix="make a column of an expression first, with frame.with_columns(…)",
            )
    if not listed:
        raise InputError(f"{what}: no column is given", found="an empty list", expected="at least one name")
    unique(listed, what)
    return listed


def unique(listed: Sequence[str], what: str, fix: str | None = None) -> None:
    """Raise an InputError when a name stands in the list more than once."""
    twice = sorted(name for name, times in Counter(listed).items() if times > 1)
    if twice:
        raise InputError(
            f"{what}: more than one column is called {', '.join(map(repr, twice))}",
            found=", ".join(listed),
            expected="every name once",
            fix=fix,
        )


def free(taken: Iterable[str], name: str) -> str:
    """A name that is not taken: this one, or one like it."""
    there = set(taken)
    while name in there:
        name += "'"
    return name


def known(listed: Iterable[str], columns: Sequence[str], whose: str = "the frame") -> None:
    """Raise an InputError, with the nearest name that exists, for a name that is not among the columns."""
    there = set(columns)
    for name in listed:
        if name not in there:
            guess = nearest(str(name), columns)
            raise InputError(
                f"{whose} has no column {name!r}",
                found=repr(name),
                expected=", ".join(columns) or "none: there are no columns",
                fix=f"did you mean {guess!r}?" if guess else None,
            )


def no_patterns(listed: Iterable[str]) -> None:
    """Raise an InputError for a name that Polars takes for a pattern: a plan would lose the column, or take others."""
    for name in listed:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise InputError(
                "a column of this name cannot be in a lazy frame, where it means others",
                found=repr(name),
                fix="rename the column; the methods of a Frame take any name",
            )


def renamed(df: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The same columns under other names.

    Work is done under names of our own: Polars takes `*` and `^…$` for patterns, and ours must not meet a user's.
    """
    df = df.clone()
    df.columns = list(columns)
    return df


def flags(given: bool | Sequence[bool], count: int, what: str) -> list[bool]:
    """A truth value for each of so many columns, of one for all or of a list of them.

    Raises
    ------
    InputError
        For anything else.
    """
    truth, expected = (bool, np.bool_), "one truth value for all columns, or one for each"
    each = [given] * count if isinstance(given, truth) else given
    if not isinstance(each, Sequence | np.ndarray) or not all(isinstance(one, truth) for one in each):
        raise InputError(f"{what} is no truth value, nor a list of them", found=repr(given), expected=expected)
    if len(each) != count:
        found = f"{len(each)} for {count} columns"
        raise InputError(f"{what} has another length than by", found=found, expected=expected)
    return [bool(one) for one in each]
