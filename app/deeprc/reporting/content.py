"""What the page says of checks and settings, as plain values for the template."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deeprc.reporting import words

DEEPEST = 3  # levels of the configuration that have rows of their own
ELSEWHERE = ("sha256", "basins", "name", "made_from")  # keys of a check that other parts of the page show


def facts(check: dict) -> list[tuple[str, str]]:
    """The scalar figures of a check as (label, text); counts by name in one text; check sums are left to provenance."""
    told = {key: _plain(value) for key, value in check.items() if key not in ELSEWHERE}
    return [(key.replace("_", " "), text) for key, text in told.items() if text not in ("", words.NONE)]


def settings(config: object) -> list[tuple[str, str]]:
    """The configuration as (key, value), the keys with those above them; a model is one row."""

    def flat(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict) and value and len(path) < DEEPEST:
            for key, inner in value.items():
                yield from flat(inner, (*path, str(key)))
        elif path:
            yield ".".join(path), _setting(value)

    return list(flat(config, ()))


def _setting(value: object) -> str:
    """A value as a configuration writes it; a mapping on one line."""
    if isinstance(value, dict):
        value = ", ".join(f"{key} {_setting(inner)}" for key, inner in value.items())
    if value in (None, "", []):
        return words.NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> str:
    if value is None:
        return words.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return words.listing([_plain(inner) for inner in value]) if isinstance(value, list) else str(value)
