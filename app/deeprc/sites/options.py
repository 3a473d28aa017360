"""Options for the batch system, and the placeholders that are filled in there."""

from __future__ import annotations

from collections.abc import Iterable
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator

from deeprc.core.errors import unknown

PLACEHOLDERS = ("nodes", "ranks_per_node", "gpus", "queue")


def _names(option: str) -> list[str]:
    try:
        fields = [field for field in Formatter().parse(option) if field[1] is not None]
    except ValueError as error:
        raise ValueError(f"{option!r}: {error}; a brace that is meant as one is written twice") from None
    for _, name, form, conversion in fields:
        if form or conversion:
            raise ValueError(f"{option!r}: a placeholder is a name in braces, and nothing else")
        if name not in PLACEHOLDERS:
            raise ValueError(str(unknown("placeholder", f"{{{name}}}", [f"{{{known}}}" for known in PLACEHOLDERS])))
    return [name for _, name, _, _ in fields]


def _filled(option: str) -> str:
    _names(option)
    return option


def _as_it_is(option: str) -> str:
    if _names(option):
        raise ValueError(
            f"{option!r}: placeholders are filled in only in the scheduler_options of partitions and queues"
        )
    return option


def whole(words: Iterable[str]) -> list[tuple[str, ...]]:
    """Options with their values, from a list of words: `-l`, `select=1`, `-l`, `place=excl` are two."""
    found: list[tuple[str, ...]] = []
    for word in words:
        if word.startswith("-") or not found:
            found.append((word,))
        else:
            found[-1] += (word,)
    return found


# Both may name the user's variables as $NAME. The second kind is passed on unchanged.
PartitionOption = Annotated[str, AfterValidator(_filled)]
Option = Annotated[str, AfterValidator(_as_it_is)]
