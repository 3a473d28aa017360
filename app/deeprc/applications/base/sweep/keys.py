"""The keys of an application's options, dotted, and how a value is put at one."""

from __future__ import annotations

import copy
from typing import get_args, get_origin

from pydantic import BaseModel


def put(within: dict, keys: list[str], value: object, model: type[BaseModel]) -> bool:
    """Put a value at `keys`; false where it is of an entry, such as a model, that is not chosen."""
    key, *rest = keys
    kind = model.model_fields[key].annotation if key in model.model_fields else None
    inner = next((one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel)), None)
    entries = within.get(key)
    if not rest:
        chosen = isinstance(entries, dict) and isinstance(value, str)  # a name among names, with what is said of it
        within[key] = {value: entries.get(value) or {}} if chosen else copy.deepcopy(value)
        return True
    if isinstance(entries, str | list):  # one name, or several: a mapping of names, as the models are
        within[key] = entries = {str(one): {} for one in ([entries] if isinstance(entries, str) else entries)}
    if inner is None:
        within[key] = {**(entries or {}), ".".join(rest): copy.deepcopy(value)}
        return True
    if get_origin(kind) is not dict:
        within[key] = dict(entries or {})
        return put(within[key], rest, value, inner)
    name, *rest = rest
    if name not in (entries or {}):
        return False
    entries[name] = entries[name] or {}
    return bool(rest) and put(entries[name], rest, value, inner)


def keys(model: type[BaseModel], above: str = "") -> dict[str, bool]:
    """All keys of a model, dotted, and whether there are others below one that only its values know."""
    found: dict[str, bool] = {}
    for name, about in model.model_fields.items():
        kind = about.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {f"{above}{name}": False} | keys(kind, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = dict in (get_origin(kind), *map(get_origin, get_args(kind)))
    return found
