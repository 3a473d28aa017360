"""Files in S3, or in what speaks its protocol (Ceph, MinIO): by pyarrow's file system and by Polars' own reader.

What opens it comes from the environment alone, under the names that all of AWS' tools know, and is never printed:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL. Without a key buckets are
read that everybody may read.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from deeprc.core.errors import InputError
from deeprc.frames.remote.found import FILE, FOLDER, Found

if TYPE_CHECKING:
    from deeprc.frames.remote.location import Remote

CONNECT, ANSWER, TRIES = 10, 60, 3  # seconds, seconds, tries
REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|INVALID_CLIENT_TOKEN|EXPIRED_TOKEN|HTTP status 40[13]"
)
KEY, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


def _told() -> dict[str, str]:
    """What the environment says, by our names."""
    said = {
        "key": os.environ.get(KEY, ""),
        "secret": os.environ.get(SECRET, ""),
        "token": os.environ.get("AWS_SESSION_TOKEN", ""),
        "region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        "endpoint": os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "",
    }
    if bool(said["key"]) != bool(said["secret"]):
        have, lack = (KEY, SECRET) if said["key"] else (SECRET, KEY)
        raise InputError(f"{have} is set, and {lack} is not", fix=f"set {lack}, too, or none of both")
    if said["endpoint"] and not re.match(r"https?://[^/@]+/?$", said["endpoint"]):
        raise InputError("AWS_ENDPOINT_URL is no address of a server", expected="https://host[:port]")
    return said


def _system() -> Any:
    return _made(tuple(_told().items()))


@functools.cache
def _made(told: tuple[tuple[str, str], ...]) -> Any:
    from pyarrow import fs  # its S3 part starts threads: not before it is asked for

    said = dict(told)
    scheme, _, host = said["endpoint"].rstrip("/").rpartition("://")
    opens = {"access_key": said["key"], "secret_key": said["secret"], "session_token": said["token"] or None}
    return fs.S3FileSystem(
        **(opens if said["key"] else {"anonymous": True}),
        region=said["region"],
        scheme=scheme or "https",
        endpoint_override=host or None,
        connect_timeout=CONNECT,
        request_timeout=ANSWER,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=TRIES),
    )


def state(address: Remote) -> Found | None:
    from pyarrow import fs

    found = _asked(address, lambda: _system().get_file_info(_key(address)))
    return None if found.type == fs.FileType.NotFound else _state(found)


def listed(address: Remote) -> Iterator[tuple[str, Found]]:
    from pyarrow import fs

    entries = _asked(address, lambda: _system().get_file_info(fs.FileSelector(_key(address))))
    return ((entry.base_name, _state(entry)) for entry in entries)


def opened(address: Remote) -> BinaryIO:
    return _asked(address, lambda: _system().open_input_file(_key(address)))


def mark(address: Remote) -> tuple[int, str]:
    with opened(address) as file:
        said = _asked(address, file.metadata)
        return file.size(), " ".join(said.get(name, b"").decode() for name in ("ETag", "Last-Modified"))


def scanned(address: Remote) -> tuple[str, dict[str, Any]]:
    said = _told()
    options: dict[str, Any] = {"aws_region": said["region"], "max_retries": TRIES}
    if said["key"]:
        options |= {"aws_access_key_id": said["key"], "aws_secret_access_key": said["secret"]}
        options |= {"aws_session_token": said["token"]} if said["token"] else {}
    else:
        options["aws_skip_signature"] = "true"
    if said["endpoint"]:
        plain = str(said["endpoint"].startswith("http://")).lower()
        options |= {"aws_endpoint_url": said["endpoint"].rstrip("/"), "aws_allow_http": plain}
    return str(address), {"storage_options": options, "credential_provider": None}


def _key(address: Remote) -> str:
    return f"{address.host}/{address.path}".removesuffix("/.")


def _state(info: Any) -> Found:
    from pyarrow import fs

    return Found(FILE, info.size, str(info.mtime_ns)) if info.type == fs.FileType.File else Found(FOLDER)


def _asked(address: Remote, question: Any) -> Any:
    """What the server answers.

    Raises
    ------
    InputError
        When it refuses, or cannot be asked.
    """
    try:
        return question()
    except OSError as error:
        text = str(error)
        if REFUSED.search(text):
            with_key = f"with the key of {KEY}" if os.environ.get(KEY) else f"without a key ({KEY} is not set)"
            raise InputError(
                "access is refused",
                where=address,
                found=with_key,
                fix=f"set {KEY} and {SECRET} to a key that may read it",
            ) from None
        if isinstance(error, FileNotFoundError) or "NO_SUCH_BUCKET" in text:
            raise InputError("there is no such bucket or folder", where=address) from None
        raise InputError(
            "the server cannot be asked",
            where=address,
            found=re.sub(r"\s+", " ", text)[:200],
            fix="look at the address, AWS_ENDPOINT_URL and AWS_REGION",
        ) from None
