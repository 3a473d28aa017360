"""The word by which joins, sorts and groupbys are made by another's engine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from deeprc.core.errors import ConfigError, unknown

ENGINE = "DEEPRC_FRAMES_ENGINE"
ENGINES = ("arrow", "cylon")


def word() -> str:
    """What this rank's environment says."""
    return os.environ.get(ENGINE) or "arrow"


def agreed(words: Sequence[str]) -> str:
    """The engine of all ranks.

    Raises
    ------
    ConfigError
        For one that is not known, or that only some ranks ask for: the same on every rank, which hears all words.
    """
    for each in words:
        if each not in ENGINES:
            raise unknown("engine", each, ENGINES, where=ENGINE)
    if other := next((rank for rank, each in enumerate(words) if each != words[0]), None):
        raise ConfigError(
            "ranks have different engines", where=ENGINE, found=f"{words[0]}, rank {other}: {words[other]}"
        )
    return words[0]
