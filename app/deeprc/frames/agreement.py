"""What all ranks must agree upon in a step, and the one error that they all raise when they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeprc.core.errors import DeepRCError, InputError

# What is compared, once it is known: the method, its arguments, the plan made of them, and the columns that came of it.
CALL, ARGUMENTS, PLAN, COLUMNS = "call", "arguments", "plan", "columns"


class SchemaError(DeepRCError):
    """Ranks that hold different columns."""


@dataclass(frozen=True)
class Account:
    """What a rank says about its part of a step that failed somewhere.

    Parameters
    ----------
    kind, text
        The class and the text of its failure; None when it did not fail.
    same
        What has to be the same on all ranks.
    """

    kind: type[DeepRCError] | None
    text: str | None
    same: Mapping[str, str]

    @classmethod
    def of(cls, failure: BaseException | None, same: Mapping[str, str]) -> Account:
        if failure is None:
            return cls(None, None, same)
        # Other classes than ours may be unknown on the other ranks, or not take a text alone.
        kind = type(failure) if isinstance(failure, DeepRCError) else DeepRCError
        return cls(kind, str(failure) or repr(failure), same)


def verdict(accounts: Sequence[Account]) -> DeepRCError:
    """The error of all ranks, made of what each of them tells: it is the same everywhere."""
    asked = _difference(CALL, accounts) or _difference(ARGUMENTS, accounts)
    if asked is not None:
        (first, expected), (rank, found) = asked
        return InputError(
            f"rank {rank} does not do what rank {first} does",
            found=found,
            expected=expected,
            fix="call the same methods with the same arguments on every rank, in the same order",
        )
    for rank, account in enumerate(accounts):
        if account.text is not None:
            return account.kind(f"rank {rank} of {len(accounts)} failed: {account.text}")
    planned = _difference(PLAN, accounts)
    if planned is not None:
        (first, expected), (rank, found) = planned
        return DeepRCError(
            f"rank {rank} has planned something else than rank {first} for the same call, which is a fault of Deep RC",
            found=found,
            expected=expected,
            fix="report it, with these two plans; nothing was read",
        )
    (first, expected), (rank, found) = _difference(COLUMNS, accounts)
    return SchemaError(
        f"the columns of rank {rank} differ from those of rank {first}",
        found=found,
        expected=expected,
        fix="give every rank the same column names and types, also a rank without rows",
    )


def describe(schema: Mapping[str, pl.DataType]) -> str:
    """A frame's columns and their types, to be compared and shown."""
    return ", ".join(f"{name}: {dtype!r}" for name, dtype in schema.items()) or "no columns"


def _difference(what: str, accounts: Sequence[Account]) -> tuple[tuple[int, str], tuple[int, str]] | None:
    """The first two ranks that tell something else from each other, and what they tell."""
    told = [(rank, account.same[what]) for rank, account in enumerate(accounts) if what in account.same]
    return next(((told[0], (rank, text)) for rank, text in told if text != told[0][1]), None)
