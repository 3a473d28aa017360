"""Addresses of files, with the methods of a path that reading needs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.remote import http, s3
from deeprc.frames.remote.found import FILE, FOLDER, Found

KINDS = {"s3": s3, "https": http, "http": http}
MAGIC = set("*?[")


@dataclass(frozen=True, order=True)
class Remote:
    """A file or a folder of a server.

    Parameters
    ----------
    scheme, host
        `s3` and the bucket, or `https` (`http`) and the server.
    path
        Below it, as the server's own names are: without percent signs.
    known
        What the server said of it when it was looked at.
    """

    scheme: str
    host: str
    path: PurePosixPath
    known: Found | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        below = "" if self.path == PurePosixPath() else str(self.path)
        return f"{self.scheme}://{self.host}{'/' if below else ''}{below if self.scheme == 's3' else quote(below)}"

    def __truediv__(self, name: str) -> Remote:
        return Remote(self.scheme, self.host, self.path / name)

    @property
    def name(self) -> str:
        return self.path.name or self.host

    @property
    def parent(self) -> Remote:
        return Remote(self.scheme, self.host, self.path.parent)

    @property
    def parents(self) -> tuple[Remote, ...]:
        return tuple(Remote(self.scheme, self.host, parent) for parent in self.path.parents)

    def relative_to(self, other: Remote) -> PurePosixPath:
        return self.path.relative_to(other.path)

    def state(self) -> Found | None:
        """What it is, and by what it is seen to be the same; None where there is nothing."""
        return self.known or KINDS[self.scheme].state(self)

    def exists(self) -> bool:
        return self.state() is not None

    def is_file(self) -> bool:
        state = self.state()
        return state is not None and state.kind == FILE

    def is_dir(self) -> bool:
        state = self.state()
        return state is not None and state.kind == FOLDER

    def iterdir(self) -> Iterator[Remote]:
        """What is in the folder."""
        for name, state in KINDS[self.scheme].listed(self):
            yield Remote(self.scheme, self.host, self.path / name, state)

    def glob(self, pattern: str) -> Iterator[Remote]:
        """What matches, as of a path of this machine; `**` stands for folders, any number of them."""
        first, *rest = PurePosixPath(pattern).parts
        if first == "**":
            yield from self.glob("/".join(rest) or "*")
            for entry in self.iterdir():
                if entry.is_dir():
                    yield from entry.glob(pattern)
        elif not MAGIC & set(first):
            entry = self / first
            yield from entry.glob("/".join(rest)) if rest else (each for each in [entry] if each.exists())
        else:
            for entry in self.iterdir():
                if fnmatchcase(entry.name, first) and (not rest or entry.is_dir()):
                    yield from entry.glob("/".join(rest)) if rest else [entry]

    def rglob(self, pattern: str) -> Iterator[Remote]:
        return self.glob(f"**/{pattern}")

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file, to be read from any place in it; only what is asked for travels."""
        return KINDS[self.scheme].opened(self)

    def mark(self) -> tuple[int, str]:
        """Its size, and by what it is seen to be the same, asked for anew."""
        return KINDS[self.scheme].mark(self)

    def scanned(self) -> tuple[Any, dict[str, Any]]:
        """What Polars reads for this file, and the options by which it does."""
        return KINDS[self.scheme].scanned(self)


def address(text: str) -> Remote | None:
    """The address that a text is; None for a path.

    Raises
    ------
    InputError
        For one that nothing here reads, or that has a secret in it.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    if scheme is None:
        return None
    if scheme[1].lower() not in KINDS:
        raise InputError(
            f"{scheme[0]} addresses are not read",
            found=text.split("?")[0].split("@")[-1],
            expected="a path of a mounted file system, s3://bucket/…, https://… or http://…",
            fix="give the path alone" if scheme[1].lower() == "file" else "copy the files to where all ranks see them",
        )
    split = urlsplit(text)
    is_s3 = scheme[1].lower() == "s3"
    # A pattern may have a question mark in it, and the name of an object may have any sign.
    rest = text[scheme.end() :]
    host, _, below = rest.partition("/")
    if "@" in host or (not is_s3 and re.search(r"\?[^/]*=|#", below)):
        raise InputError(
            "an address with a name and a password, or with what follows a question mark, is not read: "
            "plans and errors print addresses, and this may be a secret",
            found=f"{split.scheme}://{split.hostname or host.split('@')[-1]}/…",
            expected="the address alone",
            fix="give what opens it in the environment (AWS_ACCESS_KEY_ID, … for s3)",
        )
    if not host:
        raise InputError("an address without a server or a bucket", found=text)
    return Remote(split.scheme, host, PurePosixPath(below if is_s3 else unquote(below)))


@functools.singledispatch
def source(file: Any) -> tuple[Any, dict[str, Any]]:
    """What Polars reads for a file, and the options by which it does."""
    return file, {}


@source.register
def _(file: Remote) -> tuple[Any, dict[str, Any]]:
    return file.scanned()


def scan(read: Any, files: list[Any]) -> pl.LazyFrame:
    """Files as a lazy frame of Polars, by its function `read`; no name is a pattern any more."""
    found = [source(file) for file in files]
    return read([each for each, _ in found], glob=False, **found[0][1])


def sentence(error: Exception) -> Exception:
    """What Polars says of a server, as one error of ours, without the pages that servers send; any other as it is."""
    text = str(error)
    if not text.startswith("object-store error"):
        return error
    short = re.sub(r"\?\S*", "", re.split(r"[\n<{]", text.removeprefix("object-store error: "))[0]).strip()
    return InputError("a file cannot be read from its server", found=short[:300], fix="try again, or copy it to a disk")
