"""Basins that would have a network of their own, which an entity-aware one cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from deeprc.core.errors import ConfigError


def alone(kinds: Mapping[str, Any]) -> list[str]:
    """The basins of whose kind (unit and inputs) there is no other."""
    counts = Counter(kinds.values())
    return [basin for basin, kind in kinds.items() if counts[kind] == 1]


def lonely(basins: Sequence[str]) -> ConfigError:
    """That an entity-aware network is asked for these basins."""
    several = len(basins) > 1
    return ConfigError(
        "an entity-aware network is for several basins: their attributes open its gates",
        found=f"{', '.join(basins)}: {'each ' * several}without its like, with a network of its own",
        expected="basins with the same inputs and the same unit",
        fix=f"take the variant small, or leave {'them' if several else 'it'} out (key 'basins')",
    )
