"""Where rows are written to: a folder of its own, which stands for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from deeprc.core.errors import InputError
from deeprc.core.files import storage_error

PART = re.compile(r"part-\d{5,}\.(parquet|arrow)")
HIVE = re.compile(r"[^=]+=.*")
MARKS = (".snakemake_timestamp",)  # of Snakemake, in a folder that a rule makes


def check(folder: Path) -> None:
    """Raise an InputError where rows would replace what no such writer has written.

    A folder is replaced as a whole: one that is empty, or that holds nothing but parts (`part-00000.parquet`, `.arrow`)
    and folders `name=value` of these.
    """
    if folder.is_symlink():
        raise InputError(
            "rows are written to a folder, and this is a link",
            where=folder,
            found=f"it leads to {folder.readlink()}",
            fix="name the folder itself, or another",
        )
    if folder.exists() and not folder.is_dir():
        raise InputError("rows are written to a folder, and this is a file", where=folder, fix="name another")
    beside = next(each for each in folder.absolute().parents if each.exists())
    if not beside.is_dir():
        raise InputError("no folder can be made in a file", where=folder, found=f"{beside} is a file")
    if not folder.exists():
        return
    if folder.samefile(Path()):
        raise InputError("rows would replace the working folder", where=folder, fix="name a folder in it")
    try:
        others = next(_others(folder), None)
    except OSError as error:
        raise storage_error(error, folder) from error
    if others is not None:
        raise InputError(
            "the folder holds what no such writer has written, and would be replaced as a whole",
            where=folder,
            found=others.relative_to(folder),
            expected="a folder that is not there, is empty, or has only part-00000.parquet (.arrow), … in it, "
            "or in folders name=value",
            fix="choose another folder, or remove this one",
        )


def _others(folder: Path) -> Iterator[Path]:
    """What in the folder is none of ours."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            if HIVE.fullmatch(entry.name):
                yield from _others(entry)
            else:
                yield entry
        elif entry.is_symlink() or not (PART.fullmatch(entry.name) or entry.name in MARKS):
            yield entry
