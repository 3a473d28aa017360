"""The image's file system alone, for runtimes that take no SIF: a file beside the SIF, with a record of its own."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deeprc.core.errors import DeepRCError
from deeprc.core.files import atomic, atomic_large, read_json, write_json
from deeprc.core.validation import validate
from deeprc.images import sif, trust
from deeprc.images.catalog import Image
from deeprc.images.leftovers import RECORD, SQUASHFS

UENV = ".uenv"  # the folder of what uenv is told of an image
MOUNT = "/user-environment"  # where uenv mounts what says nothing else


class Record(BaseModel):
    """What `NAME.sqsh.json` says: which image it was taken from, and what was written."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # ignore: a newer version's records are readable

    image: str
    digest: str
    size: int
    mtime_ns: int


def beside(image: Path) -> Path:
    """Where the file system of an image lies, if it is there."""
    return image.with_suffix(SQUASHFS)


def fault(path: Path, image: Path, digest: str, *, read: bool = False) -> str | None:
    """Why `path` is not the file system of the image of that digest; None where it is.

    It is enough that size and time are the record's, unless it is to be `read`. A file without a record that can be
    believed is read once, and compared with what lies in the image.
    """
    if trust.foreign(path):
        found, expected = trust.digest(path), trust.digest(image, sif.file_system(image))
        return None if found == expected else f"{path.name} is not what lies in {image.name}"
    state, record = path.stat(), _record(path, digest)
    if record and not read and (state.st_size, state.st_mtime_ns) == (record.size, record.mtime_ns):
        return None
    found = sif.digest(path)
    expected = record.digest if record else sif.digest(image, sif.file_system(image))
    if found != expected:
        return f"{path.name} was changed after it was put here: {found}, expected {expected}"
    if record is None:
        with contextlib.suppress(OSError, DeepRCError):  # a folder that is only read
            write_record(path, digest, found)
    return None


def make(path: Path, image: Path, digest: str) -> None:
    """Write the file system of the image of that digest to `path`, and its record."""
    with atomic_large(path) as temporary:
        sif.extract(image, temporary)
        temporary.chmod(0o644)  # whatever the umask: images are for others as well
        written = sif.digest(temporary)
    write_record(path, digest, written)


def describe(path: Path, image: Image, digest: str) -> Path:
    """Write beside a squashfs file what CSCS's uenv tells of one; return the folder that holds both.

    uenv looks for `meta/env.json` in the file's own folder (eth-cscs/uenv2, src/uenv/env.cpp), hence one for each: its
    `store.squashfs` is a link. There are no views: it is a whole system's file system, for a container.
    """
    folder = path.with_suffix(UENV)
    facts = image.model_dump(mode="json", exclude={"uri", "digests", "key", "description"})
    content = {"name": image.name, "description": image.description, "mount": MOUNT, "views": {}}
    with atomic(folder) as new:
        (new / "meta").mkdir(parents=True)
        write_json(new / "meta" / "env.json", {**content, "deeprc": {**facts, "digest": digest}})
        (new / "store.squashfs").symlink_to(Path("..") / path.name)
        for each in (new, new / "meta"):
            each.chmod(0o755)
        (new / "meta" / "env.json").chmod(0o644)
    return folder


def write_record(path: Path, image: str, digest: str) -> None:
    """Note what `path` is."""
    state = path.stat()
    record = Record(image=image, digest=digest, size=state.st_size, mtime_ns=state.st_mtime_ns)
    with atomic(path.with_name(path.name + RECORD)) as new:
        write_json(new, record.model_dump())
        new.chmod(0o644)


def _record(path: Path, image: str) -> Record | None:
    """What is noted of it; None where that is not the user's or root's word, or of another image."""
    place = path.with_name(path.name + RECORD)
    try:
        found = None if trust.foreign(place) else validate(Record, read_json(place), where=place)
    except (OSError, ValueError, TypeError, DeepRCError):
        return None
    return found if found and found.image == image else None
