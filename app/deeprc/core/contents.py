"""What files hold, by SHA-256: read once, and known from then on as long as nothing touched them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deeprc.core.errors import InputError
from deeprc.core.files import sha256, write_text

KEPT = Path(".snakemake/deeprc/contents.json")  # below the working directory, as all that Snakemake remembers
SETTLED = 3.0  # seconds: a file that changed later may change again within one tick of its file system's clock
MANY = 16  # files that are told one by one; more have one sum for all
READERS = 4


class Contents:
    """The SHA-256 of files, remembered in `kept`.

    A file is known again by path, size, times and inode: the time of its last change of state (`ctime`) cannot be set
    by `cp -p`, `touch -d` or `rsync -t`, so that a file which another, older one took the place of is read anew.
    """

    def __init__(self, kept: Path = KEPT) -> None:
        self._kept, self._known, self._new = kept, {}, {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(kept.read_text())
            self._known = known if isinstance(known, dict) else {}

    def of(self, files: Mapping[str, Path]) -> dict[str, str]:
        """The SHA-256 of each file by name; one sum of all under `N files` where there are many."""
        names = sorted(files)
        with ThreadPoolExecutor(READERS) as readers:
            sums = dict(zip(names, readers.map(lambda name: self._sum(files[name]), names), strict=True))
        self._save()
        if len(sums) <= MANY:
            return sums
        lines = "".join(f"{sum_}  {name}\n" for name, sum_ in sums.items())
        return {f"{len(sums)} files": hashlib.sha256(lines.encode()).hexdigest()}

    def _sum(self, path: Path) -> str:
        path = path.absolute()
        try:
            mark = _mark(path)
            known = self._known.get(str(path))
            if isinstance(known, list) and known[:-1] == mark:
                return known[-1]
            found = sha256(path)
            if _mark(path) != mark:
                raise InputError("the file changed while it was read", where=path, fix="start again once it is whole")
        except OSError as error:
            raise InputError(f"cannot read this file: {error.strerror}", where=path) from error
        if time.time() - mark[2] / 1e9 > SETTLED:
            self._new[str(path)] = [*mark, found]
        return found

    def _save(self) -> None:
        if not self._new or not self._kept.parent.parent.is_dir():  # a stage run by hand leaves nothing behind
            return
        self._known |= self._new
        self._new = {}
        # Only a memory: where it cannot be written, files are read again.
        with contextlib.suppress(Exception):
            write_text(self._kept, json.dumps(self._known))


def named(paths: Iterable[str | Path]) -> dict[str, Path]:
    """The files that are meant by paths of files and folders, by name; hidden ones (`._x`) are nobody's data.

    A file is known by its own name, and one of a folder by its path below it, so that data that moved are the same;
    where two would have one name, by the path as given.
    """
    found: dict[str, Path] = {}
    for given in map(Path, paths):
        for name, path in _below(given) if given.is_dir() else [(given.name, given)]:
            found[str(path) if name in found else name] = path
    return found


def _below(folder: Path) -> Iterable[tuple[str, Path]]:
    seen = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if (real := os.path.realpath(here)) in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(here, name)
                yield str(path.relative_to(folder)), path


def _mark(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
