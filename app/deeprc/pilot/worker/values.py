"""Values that JSON has: what a call is given and gives back."""

from __future__ import annotations

import json


def text(value: object) -> str:
    """The value as JSON.

    Raises
    ------
    TypeError, ValueError, RecursionError
        For one that JSON does not have, also a dictionary of which two keys would become one (`1` and `"1"`).
    """
    written = json.dumps(value)
    if "{" in written:
        _told_apart(value)
    return written


def _told_apart(value: object) -> None:
    if isinstance(value, dict):
        names: dict[str, object] = {}
        for key in value:
            name = key if isinstance(key, str) else json.dumps(key)
            if name in names:
                raise TypeError(f"the keys {names[name]!r} and {key!r} of a dictionary are both written {name!r}")
            names[name] = key
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for part in value:
        _told_apart(part)
