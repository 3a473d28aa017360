"""Files that a web server gives, in parts where it can; a folder is what its page of links names."""

from __future__ import annotations

import io
import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urljoin, urlsplit

from deeprc.core.errors import InputError
from deeprc.core.files import storage_error
from deeprc.frames.place import told
from deeprc.frames.remote.found import FILE, FOLDER, Found

if TYPE_CHECKING:
    from deeprc.frames.remote.location import Remote

ANSWER = 60  # seconds
PAGE = 16 * 2**20  # bytes of a page of links, at most
COPIED = 2**20  # bytes at a time
NEAR = 2**16  # bytes that are read at least
_COPIES: dict[tuple[str, str], BinaryIO] = {}
_UNSIGNED: list[BinaryIO] = []  # copies without a mark: each may still be read by its number among the open files


class Beyond(Exception):
    """A part that a file has not got: it is empty."""


class Links(HTMLParser):
    """The addresses that a page leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def state(address: Remote) -> Found | None:
    """A file's size and mark, by asking for its first byte; a folder is what has a slash at the end in the end."""
    try:
        with _answer(str(address), address, "bytes=0-0") as answer:
            if urlsplit(answer.url).path.endswith("/"):
                return Found(FOLDER)
            headers, parts = answer.headers, answer.status == 206
            size = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("Content-Range", "")) if parts else None
            length = size[1] if size else headers.get("Content-Length", "0")
            return Found(FILE, int(length), _sign(headers), parts=size is not None)
    except FileNotFoundError:
        return None
    except Beyond:
        return Found(FILE)


def listed(address: Remote) -> Iterator[tuple[str, Found | None]]:
    """What the page of a folder leads to, directly in it."""
    try:
        with _answer(f"{address}/", address) as answer:
            base, page = answer.url, answer.read(PAGE).decode(errors="replace")
            if answer.read(1):
                raise InputError(
                    "a folder's page of links is too long", where=address, expected=f"at most {PAGE // 2**20} MiB"
                )
            _check_whole(answer, address)
    except FileNotFoundError:
        return
    links = Links()
    links.feed(page)
    home, seen = urlsplit(base), set()
    for link in links.found:
        to = urlsplit(urljoin(base, link))
        name = unquote(to.path.removeprefix(home.path))
        inside = to.netloc == home.netloc and to.path.startswith(home.path) and not to.query
        if inside and name.rstrip("/") and "/" not in name.rstrip("/") and name not in seen:
            seen.add(name)
            yield name.rstrip("/"), Found(FOLDER) if name.endswith("/") else None


def opened(address: Remote) -> BinaryIO:
    found = state(address)
    if found is None:
        raise FileNotFoundError(2, "no such file", str(address))
    return io.BufferedReader(PartsOfFile(address, found), NEAR) if found.parts else copied(address, found).open("rb")


def mark(address: Remote) -> tuple[int, str]:
    found = state(address)
    if found is None:
        raise FileNotFoundError(2, "no such file", str(address))
    return found.size, found.sign


def scanned(address: Remote) -> tuple[Any, dict[str, Any]]:
    found = state(address)
    if found is not None and not found.parts:
        return copied(address, found), {}
    options = {"max_retries": 3} | ({"allow_http": "true"} if address.scheme == "http" else {})
    return str(address), {"storage_options": options, "credential_provider": None}


class PartsOfFile(io.RawIOBase):
    """A file that is read from a server part by part."""

    def __init__(self, address: Remote, found: Found) -> None:
        self.address, self.size, self.sign, self.at = address, found.size, found.sign, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, into: Any) -> int:
        count = min(len(into), max(self.size - self.at, 0))
        if not count:
            return 0
        try:
            with _answer(str(self.address), self.address, f"bytes={self.at}-{self.at + count - 1}") as answer:
                part = answer.read(count)
            same = answer.status == 206 and _is_same(self.sign, answer.headers)
            if same:
                _check_whole(answer, self.address)
        except Beyond:
            same = False
        if not same or len(part) != count:
            raise InputError("the file has become another one while it was read", where=self.address)
        into[:count] = part
        self.at += count
        return count


def copied(address: Remote, found: Found) -> Path:
    """The whole file, in TMPDIR, without a name there: it goes with this process."""
    key = str(address), found.sign
    if key not in _COPIES or not found.sign.strip():
        told()  # TMPDIR is a folder, or an error
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open for as long as it may be read
        with _answer(str(address), address) as answer:
            while piece := answer.read(COPIED):
                try:
                    copy.write(piece)
                    copy.flush()
                except OSError as error:
                    raise storage_error(error, Path(tempfile.gettempdir())) from error
            _check_whole(answer, address)
        if key in _COPIES:
            _UNSIGNED.append(_COPIES[key])
        _COPIES[key] = copy
    return Path(f"/proc/self/fd/{_COPIES[key].fileno()}")


def _sign(headers: Any) -> str:
    """By what a file is seen to be the same."""
    return f"{headers.get('ETag', '')}\n{headers.get('Last-Modified', '')}"


def _is_same(sign: str, headers: Any) -> bool:
    """Whether an answer is of the file of this sign: by its time, as mirrors of a file may have other marks."""
    etag, _, modified = sign.partition("\n")
    return headers.get("Last-Modified", "") == modified if modified else headers.get("ETag", "") == etag


def _check_whole(answer: Any, address: Remote) -> None:
    """Raise an error when a connection ended before the answer did: reading some bytes at a time does not tell."""
    if answer.length:
        raise InputError(
            "the server has ended the connection in the middle", where=address, found=f"{answer.length:,} bytes lack"
        )


@contextmanager
def _answer(url: str, address: Remote, part: str | None = None) -> Iterator[Any]:
    """What a server answers.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    InputError
        When it refuses, or cannot be asked.
    """
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"} | ({"Range": part} if part else {}))
    try:
        with urllib.request.urlopen(request, timeout=ANSWER) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise FileNotFoundError(2, "no such file", str(address)) from None
        if error.code == 416:
            raise Beyond from None
        if error.code in (401, 403, 407):
            raise InputError(
                "access is refused",
                where=address,
                found=f"{error.code} {error.reason}",
                fix="web addresses are read without a name and a password: copy the file to where all ranks see it",
            ) from None
        raise InputError(
            "the server does not give this file", where=address, found=f"{error.code} {error.reason}"
        ) from None
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise InputError(
            "the server cannot be asked",
            where=address,
            found=getattr(error, "reason", None) or error,
            fix="look at the address; compute nodes may have no way out",
        ) from None
