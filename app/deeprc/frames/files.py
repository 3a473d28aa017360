"""The files that a path means: itself, those in a folder and in the folders in it, or those that match a pattern.

Nothing that is listed is left out without a word, but what others leave beside the data, which their names tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TypeVar

from deeprc.core.errors import InputError
from deeprc.frames.remote.found import FILE, FOLDER
from deeprc.frames.remote.location import MAGIC, Remote

DEEPEST = 40  # folders in each other: more are a link in a circle
Place = TypeVar("Place", Path, Remote)


def found(path: Place, pattern: str) -> tuple[Place, list[Place]]:
    """Files in the order of their names, and the folder to which their own folders belong.

    Raises
    ------
    InputError
        For a file that is listed but not there, for one in a folder that is not called as `pattern` says, and when
        there is none.
    """
    path, kind = _looked_at(path)
    if kind == FILE:
        return path, [path]
    if kind == FOLDER:
        fixed, files = path, sorted(_inside(path, pattern))
    else:
        fixed = next((each for each in path.parents if not MAGIC & set(_plain(each))), path.parent)
        files, asked = [], path.relative_to(fixed)
        named = any(each.startswith("_") for each in asked.parts[:-1])
        for match in sorted(fixed.glob(str(asked))):
            inner = match.relative_to(fixed)
            if not is_hidden(inner, pattern) and (named or not any(map(_is_mark, inner.parts[:-1]))):
                match, kind = _looked_at(match)
                files += [match] if _is_there(match, kind) and kind == FILE else []
    if not files:
        if isinstance(path, Path) and path.is_symlink():
            _is_there(path, kind)
        raise InputError(
            "no such file, nor files that match",
            where=path,
            found=_what_is_there(path if kind == FOLDER else path.parent),
            expected=f"a file, a folder of {pattern}, or a pattern; hidden files (.name) are not read",
        )
    return fixed, files


def is_hidden(file: PurePath, pattern: str) -> bool:
    """Whether others left it beside the data: `._x` of macOS, `.x.crc`, `_SUCCESS`, `_temporary/…` of Spark."""
    marker = _is_mark(file.name) and not fnmatchcase(file.name, pattern)
    return marker or any(each.startswith(".") for each in file.parts)


def _is_mark(name: str) -> bool:
    """Whether a folder of this name is none of data; `_k=1` is one, of a column `_k`."""
    return name.startswith("_") and "=" not in name


def _inside(folder: Place, pattern: str, depth: int = 0) -> Iterator[Place]:
    """All files of a folder, and of those in it."""
    if depth > DEEPEST:
        raise InputError("folders lie in each other without an end", where=folder, fix="remove the link in a circle")
    for entry in folder.iterdir():
        if is_hidden(PurePath(entry.name), pattern):
            continue
        entry, kind = _looked_at(entry)
        if kind == FOLDER:
            if not _is_mark(entry.name):
                yield from _inside(entry, pattern, depth + 1)
        elif _is_there(entry, kind):
            if not fnmatchcase(entry.name, pattern):
                raise InputError(
                    "a file of another name stands among the files of a folder",
                    where=entry,
                    expected=f"{pattern}, or a name that begins with _ or .",
                    fix=f"rename it or move it away, or give a pattern: {folder / pattern}",
                )
            yield entry


def _looked_at(entry: Place) -> tuple[Place, str | None]:
    """What something is; None where it is not there, or is neither a file nor a folder."""
    if isinstance(entry, Remote):
        state = entry.state()  # of the servers some are asked for each: not twice
        return replace(entry, known=state), state and state.kind
    return entry, FOLDER if entry.is_dir() else FILE if entry.is_file() else None


def _is_there(entry: Path | Remote, kind: str | None) -> bool:
    """True, or an InputError for what a folder lists and nobody can read."""
    if kind is not None:
        return True
    link = isinstance(entry, Path) and entry.is_symlink()
    raise InputError(
        "this file is listed, but not there",
        where=entry,
        found=f"a link to {entry.readlink()}"
        if link
        else "the server knows no such file"
        if isinstance(entry, Remote)
        else "no regular file",
        fix="bring it back, or remove what names it; or give a pattern without it",
    )


def _plain(path: Path | Remote) -> str:
    return str(path.path if isinstance(path, Remote) else path)


def _what_is_there(folder: Path | Remote) -> str:
    if isinstance(folder, Remote):  # a server may show less than it gives
        return "nothing there"
    if not folder.is_dir():
        return f"no folder {folder}"
    inside = sorted(entry.name for entry in folder.iterdir())
    return f"{', '.join(inside[:5])}{', …' if len(inside) > 5 else ''} in {folder}" if inside else f"{folder} is empty"
