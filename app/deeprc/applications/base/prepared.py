"""Folders that a stage leaves for later ones, with a list of their files: a part that is missing or changed is told.

Prepared data and models alike hold `parts.json`: every file below the folder with its bytes, its SHA-256 (1.8 GB/s on a
core that has the instructions) and, for an Arrow file, its rows. Whoever reads the folder checks it against the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from deeprc.core.errors import InputError, command
from deeprc.core.files import atomic, read_json, sha256, write_json

if TYPE_CHECKING:
    from deeprc.frames import Communicator

PARTS = "parts.json"


@contextmanager
def sealed(out: Path, comm: Communicator | None = None) -> Iterator[Path]:
    """Yield a new folder, which stands at `out`, with the list of its files, once all ranks have written to it.

    Every rank calls it; one of them makes the folder and renames it in the end.
    """
    with ExitStack() as stack:
        folder = None
        if comm is None or comm.rank == 0:
            folder = stack.enter_context(atomic(out))
            folder.mkdir()
        folder = comm.bcast(folder) if comm else folder
        yield folder
        seal(folder, comm)
    if comm:
        comm.barrier()  # it stands there for every rank


def seal(folder: Path, comm: Communicator | None = None) -> None:
    """Write the list of all files that lie in `folder`; the ranks share the reading (every rank calls it)."""
    rank, size = (comm.rank, comm.size) if comm else (0, 1)
    if comm:
        comm.barrier()  # every rank has written its files
    names = _files(folder)
    mine = {name: _about(folder / name) for name in names[rank::size]}
    shares = comm.allgather(mine) if comm else [mine]
    if rank == 0:
        write_json(folder / PARTS, {name: share[name] for name in names for share in shares if name in share})
    if comm:
        comm.barrier()


def check_parts(folder: Path) -> dict[str, dict]:
    """The list of the files of a folder, by name, after each was found to be as it was written.

    Raises
    ------
    InputError
        For a file that is missing, was changed or cut, or was not there; it is named.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, fix="run the stage that makes it")
    cure = _anew(folder)
    if not (folder / PARTS).is_file():
        raise InputError(
            "not a whole folder of a stage: the list of its parts is missing",
            where=folder / PARTS,
            found=", ".join(_files(folder)[:5]) or "an empty folder",
            fix=f"{cure} (it was made by an earlier version, or copied in part)",
        )
    listed = read_facts(folder / PARTS)
    for name in listed:
        _check(folder, name, listed, cure)
    for name in _files(folder):
        if name not in listed:
            raise InputError(
                "this file is one too many: the stage has not written it", where=folder / name, expected=_few(listed),
                fix="move it elsewhere",
            )  # fmt: skip
    return listed


def check_some(folder: Path, names: Iterable[str]) -> None:
    """Raise an InputError for a file of these in `folder` that is not as it was written.

    The list that tells is in the folder or in the one above it, which may hold several models; where none tells of a
    file, nothing is known of it.
    """
    for above in (folder, folder.absolute().parent):
        if not (above / PARTS).is_file():
            continue
        listed = read_facts(above / PARTS)
        below = "" if above == folder else f"{folder.absolute().name}/"
        for name in names:
            if f"{below}{name}" in listed:
                _check(above, f"{below}{name}", listed, _anew(above))


def read_frame(folder: Path, name: str) -> pa.Table:
    """The rows of the frame `name` of a checked folder: its parts in their order, memory-mapped."""
    return pa.concat_tables([read_arrow(path) for path in sorted((folder / name).glob("part-*.arrow"))])


def read_arrow(path: Path) -> pa.Table:
    """The table in an Arrow file, memory-mapped.

    Raises
    ------
    InputError
        For a file that is absent, cut off, or none of Arrow's.
    """
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, "not a whole Arrow file", error) from error


def read_facts(path: Path) -> dict:
    """The mapping in a JSON file that a stage has written.

    Raises
    ------
    InputError
        For a file that is absent, cut off or not JSON.
    """
    try:
        value = read_json(path)
        if not isinstance(value, dict):
            raise ValueError("not a mapping")
    except (OSError, ValueError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise _unreadable(path, "not whole JSON", error) from error
    return value


def _unreadable(path: Path, problem: str, error: Exception) -> InputError:
    if not path.exists():
        return InputError("this file is missing", where=path, fix="run the stage that makes it")
    return InputError(
        f"cannot read this file: {problem}",
        where=path,
        found=f"{path.stat().st_size:,} bytes; {str(error).splitlines()[0]}",
        fix=_anew(path),
    )


def _anew(path: Path) -> str:
    return f"make it anew: {command('snakemake', '…', '--forcerun', path)}"


def _check(folder: Path, name: str, listed: dict[str, dict], cure: str) -> None:
    """Refuse a listed file that is not as it was written."""
    path, about = folder / name, listed[name]
    rows = f"{about['rows']:,} rows, " if "rows" in about else ""
    if not path.is_file():
        there = sum(1 for other in listed if (folder / other).is_file())
        raise InputError(
            "this part is missing",
            where=path,
            found=f"{there} of the {len(listed)} files of {folder}",
            expected=f"{rows}{about['bytes']:,} bytes",
            fix=cure,
        )
    if (found := path.stat().st_size) != about["bytes"] or sha256(path) != about["sha256"]:
        raise InputError(
            "this part was cut off" if found < about["bytes"] else "this part was changed after it was written",
            where=path,
            found=f"{found:,} bytes" + (" of other content" if found == about["bytes"] else ""),
            expected=f"{rows}{about['bytes']:,} bytes, SHA-256 {about['sha256'][:16]}…",
            fix=cure,
        )


def _files(folder: Path) -> list[str]:
    """The files below `folder`; hidden ones are left out, which Snakemake and file systems leave behind."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [str(path) for path in paths if not any(part.startswith(".") for part in path.parts) and path.name != PARTS]


def _about(path: Path) -> dict:
    about = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    return about | {"rows": len(read_arrow(path))} if path.suffix == ".arrow" else about


def _few(listed: dict) -> str:
    return f"{len(listed)} files: {', '.join(list(listed)[:5])}{', …' if len(listed) > 5 else ''}"
