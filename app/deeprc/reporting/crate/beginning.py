"""What a crate's run begins with: its configuration, led to another results folder, and the places of its files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from pathlib import Path

from deeprc.core.errors import InputError
from deeprc.core.masking import MASK
from deeprc.reporting.crate.opened import within
from deeprc.reporting.crate.sources import FILES, FOLDER

DATA = "data/"


def laid(names: Iterable[str], made: Collection[str], results: str) -> dict[str, str]:
    """Of the files of a crate those that a run begins with, and where each lies below its folder: the workflow, its
    configuration files where they were, and data; nothing that a job `made`.
    """
    found = {}
    for name in names:
        if within(name, made):
            continue
        if name.startswith(f"{FILES}/"):
            found[name] = name.removeprefix(f"{FILES}/")
        elif name.startswith(f"{FOLDER}/"):
            found[name] = name
        elif name.startswith(DATA):
            found[name] = f"{results}/{name}"
    return found


def steered(config: dict, given: object, results: str, where: Path) -> dict:
    """The configuration with the `results` folder in the place of the one that was `given` to Deep RC's workflow.

    Raises
    ------
    InputError
        Where that does not come from the key `results`, so that the run would write to the folder of the first one.
    """
    if _normal(config.get("results")) == _normal(given):
        return {**deepcopy(config), "results": results}
    if _normal(given) == results:
        return deepcopy(config)
    raise InputError(
        "the workflow gives its results folder otherwise than by the key `results` of its configuration", where=where,
        found=given, expected=f"the key, or the folder `{results}`: another run must not write into the first one's",
        fix="unpack the crate and run its workflow by snakemake, with another folder",
    )  # fmt: skip


def _normal(folder: object) -> object:
    return os.path.normpath(Path(folder).expanduser()) if isinstance(folder, str) else folder


def refuse_masked(config: object, where: Path) -> None:
    """Raise an InputError that names the keys whose values were masked."""
    if keys := list(_masked(config, "")):
        raise InputError(
            "the crate's configuration was masked: what it needs is not in it", where=where, found=", ".join(keys),
            expected="a configuration without secrets",
            fix="unpack the crate, put these into its workflow/config.json, and run its workflow by snakemake",
        )  # fmt: skip


def _masked(value: object, above: str) -> Iterator[str]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _masked(inner, f"{above}.{key}" if above else str(key))
    elif isinstance(value, str) and MASK in value:
        yield above
