"""Whether parts of another package that it has promised nobody are still there."""

from __future__ import annotations

from collections.abc import Mapping
from dis import get_instructions
from importlib import import_module


def lacking(used: Mapping[str, str]) -> str | None:
    """The first part that is gone, as `DAG of snakemake.dag has no _running`; None where all are there.

    Parameters
    ----------
    used
        "module:name" of each class or object, and the names of its attributes that are used. Of a class, what its
        methods give to their object counts as well.
    """
    for place, names in used.items():
        module, _, kind = place.partition(":")
        try:
            owner = getattr(import_module(module), kind)
        except (ImportError, AttributeError) as error:
            return str(error)
        for name in names.split():
            if not _has(owner, name):
                return f"{kind} of {module} has no {name}"
    return None


def _has(owner: type, name: str) -> bool:
    if hasattr(owner, name) or any(name in vars(each) or name in _annotated(each) for each in owner.__mro__):
        return True
    methods = [value for each in owner.__mro__ for value in vars(each).values() if hasattr(value, "__code__")]
    return any(
        step.opname == "STORE_ATTR" and step.argval == name for method in methods for step in get_instructions(method)
    )


def _annotated(owner: type) -> Mapping[str, object]:
    return vars(owner).get("__annotations__", {})
