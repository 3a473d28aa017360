"""The images that this machine holds: facility folders that are only read, and the user's own.

An image lies under a name that holds its digest, so a new one never replaces an old one that a run may be using.
Beside it stands a record (JSON); a file without one is not (or no longer) an image of the store.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deeprc.core.errors import DeepRCError
from deeprc.core.files import StorageError, atomic, read_json, write_json
from deeprc.core.ownership import OwnershipError, fault, open_to, require_fixed
from deeprc.core.validation import validate
from deeprc.images import sif, trust
from deeprc.images.catalog import Image, Stage, load_catalog
from deeprc.images.errors import ImageError

RECORD, SIF, SQUASHFS = ".json", ".sif", ".sqsh"
JUDGED = ("path", "shared", "foreign", "doubt")  # what a record itself says nothing of
_NAMED = re.compile(r"(?P<name>[a-z0-9-]+)_[a-z0-9_]+_(?P<digest>[0-9a-f]{16})\.(sif|sqsh)")
LEFTOVER = 24 * 3600  # seconds after which an unfinished file belongs to nobody any more
OLD_BASE = 31 * 24 * 3600  # seconds after which a Debian that images are made from is made anew (see build.py)


class Held(BaseModel):
    """An image that the store holds, and where it came from."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # ignore: a newer version's records are readable

    name: str
    architecture: str
    digest: str
    path: Path
    size: int
    mtime_ns: int = 0
    created: float
    source: str  # "built", or the address it was pulled from
    content: str | None = None  # the hash of what went into a build
    stages: list[Stage] = []
    signed_by: str | None = None
    shared: bool = False
    foreign: bool = False  # so its file is read once by everybody who uses it (see `trust`)
    doubt: str | None = None  # why nothing but a digest that the catalog pins is believed of it


def named(path: str) -> tuple[str, str] | None:
    """The image's name and the beginning of its digest (`sha256:…`), as `Store.path` puts them into a file's name."""
    found = _NAMED.fullmatch(Path(path).name)
    return (found["name"], f"sha256:{found['digest']}…") if found else None


class Store:
    """The folders of images.

    Parameters
    ----------
    folder
        The user's own; $DEEPRC_IMAGES, else `deeprc/images` in the user's cache folder.
    shared
        Facility folders that are looked in first and never written; $DEEPRC_SHARED_IMAGES (separated by colons).
    """

    def __init__(self, folder: str | Path | None = None, shared: Iterable[str | Path] | None = None) -> None:
        self.folder = Path(folder or os.environ.get("DEEPRC_IMAGES") or trust.cache() / "images").absolute()
        named = os.environ.get("DEEPRC_SHARED_IMAGES", "").split(":") if shared is None else shared
        self.shared = [Path(path).absolute() for path in named if str(path)]

    @property
    def bases(self) -> Path:
        """The folder of what images are made from."""
        return self.folder / "bases"

    def held(self) -> list[Held]:
        """All images, the shared ones first, and the newest of each folder first."""
        found = []
        for folder in [*self.shared, self.folder]:
            publisher = trust.publisher(folder) if folder != self.folder else None
            rows = [self._read(path, folder, publisher) for path in folder.glob(f"*.sif{RECORD}")]
            found += sorted(filter(None, rows), key=lambda held: -held.created)
        return found

    def find(self, image: Image | str, architecture: str) -> Held | None:
        """The image to run: the one that the catalog pins, else the newest of that name; None where it is not here.

        A file that is neither the user's own nor root's, or that others may write to, is read whole, once. Where the
        catalog pins no digest it must be published: by the owner of a shared folder, who alone may write to it.

        Raises
        ------
        ImageError
            When the file is no longer what it was when it was put here.
        """
        name, pinned = (image, None) if isinstance(image, str) else (image.name, image.digests.get(architecture))
        for held in self.held():
            if (held.name, held.architecture) != (name, architecture) or pinned not in (None, held.digest):
                continue
            if not self.why_not(held, pinned):
                return self.unchanged(held)
        return None

    def why_not(self, held: Held, pinned: str | None) -> str | None:
        """Why an image is passed over where the catalog pins that digest, or none; None where it is not."""
        if not held.doubt or held.digest != pinned:
            return held.doubt
        found = trust.digest(held.path)
        return None if found == pinned else f"{held.path.name} has the digest {found}, and the catalog pins {pinned}"

    def built(self, content: str) -> Held | None:
        """The image that was built here from exactly that."""
        return next(
            (held for held in self.held() if held.content == content and not (held.shared or held.foreign)), None
        )

    def unchanged(self, held: Held, *, read: bool = False) -> Held:
        """`held`, once its file is known to be what it was: by size and time, or (`read`) by its digest."""
        state = held.path.stat()
        if not read and not held.foreign and (state.st_size, state.st_mtime_ns) == (held.size, held.mtime_ns):
            return held
        found = trust.digest(held.path) if held.foreign and not read else sif.digest(held.path)
        if found != held.digest:
            raise ImageError(
                "this image was changed after it was put here",
                where=held.path,
                found=found,
                expected=held.digest,
                fix=f"remove it, then {load_catalog().advice(held.name, held.architecture)}",
            )
        return held

    def path(self, name: str, architecture: str, digest: str) -> Path:
        """Where an image lies, or would lie, in the user's own folder."""
        return self.folder / f"{name}_{architecture}_{digest.removeprefix('sha256:')[:16]}.sif"

    def part(self, digest: str, *, alone: bool = True) -> Path:
        """What has arrived of the image with that digest; a file of this process's own, unless it is `alone`."""
        common = self.folder / f".{digest.removeprefix('sha256:')}.part"
        if alone and not fault(common):
            return common
        return common.with_suffix(f".{os.uname().nodename}.{os.getpid()}.part")

    def adopt(self, temporary: Path, name: str, architecture: str, digest: str, **facts: object) -> Held:
        """Take in a finished file of this folder under its name; what stood there under other names stays.

        `NAME.sif` is a link to the one that was taken in last, for people and for paths that name no digest.
        """
        path = self.path(name, architecture, digest)
        temporary.chmod(0o755)  # as Apptainer makes them: an image can be started by its name
        temporary.replace(path)
        record = path.with_name(path.name + RECORD)
        state = path.stat()
        held = Held(
            name=name,
            architecture=architecture,
            digest=digest,
            path=path,
            size=state.st_size,
            mtime_ns=state.st_mtime_ns,
            created=time.time(),
            **facts,
        )
        with atomic(record) as new:
            write_json(new, held.model_dump(mode="json", exclude=set(JUDGED)))
            new.chmod(0o644)  # whatever the umask: one that others may write to would not be believed
        self._link(path, name)
        return held

    def squashfs(self, held: Held) -> Path:
        """The file of the image's file system alone, for runtimes that take no SIF; see `make_squashfs`.

        Somebody else's is read once, and must be what lies in the image.
        """
        beside = held.path.with_suffix(SQUASHFS)
        if beside.exists() and (
            not trust.foreign(beside) or trust.digest(beside) == trust.digest(held.path, sif.file_system(held.path))
        ):
            return beside
        return self.folder / beside.name

    def make_squashfs(self, held: Held) -> Path:
        """Write it, where it is not there yet, with a link `NAME.sqsh` to it."""
        path = self.squashfs(held)
        if not path.exists():
            with atomic(path) as temporary:
                sif.extract(held.path, temporary)
            self._link(path, held.name)
        return path

    def remove(self, held: Held) -> None:
        """Remove an image of the user's own folder, its record first."""
        held.path.with_name(held.path.name + RECORD).unlink(missing_ok=True)
        held.path.unlink(missing_ok=True)
        held.path.with_suffix(SQUASHFS).unlink(missing_ok=True)
        for suffix in (SIF, SQUASHFS):
            link = self.folder / f"{held.name}{suffix}"
            if link.is_symlink() and not link.exists():
                link.unlink()

    def prune(self, keep: Iterable[Held]) -> list[Path]:
        """Remove the user's own images that are not among `keep`, and what unfinished pulls and builds left behind."""
        kept, removed = {held.path for held in keep}, []
        for held in self.held():
            if not held.shared and held.path not in kept:
                self.remove(held)
                removed.append(held.path)
        known = {held.path for held in self.held()}
        for path in [*self.folder.glob(".*.part"), *self.folder.glob(".*.tmp"), *self.folder.glob("*_*.sif")]:
            if path not in known and _age(path) > LEFTOVER:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed.append(path)
        for path in self.bases.glob("*.sif"):
            if _age(path) > OLD_BASE:
                path.unlink()
                removed.append(path)
        return removed

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Let one process at a time do what `name` names, on every node that shares the folder; False without locks.

        Some parallel file systems have none. Files are complete before they get their names, so the worst is then that
        the same is done twice.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            self._require_closed()
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
            handle = os.fdopen(os.open(self.folder / f".{name}.lock", flags, 0o666), "w")
        except OSError as error:
            raise cannot_write(error, self.folder) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:
                yield False
            else:
                yield True

    def _require_closed(self) -> None:
        """Refuse to write images where everybody may: whoever was there before would have them in his hands."""
        fix = "name another folder in DEEPRC_IMAGES (or, for all users, by --to)"
        require_fixed(self.folder, fix=fix)
        state = self.folder.stat()
        if state.st_mode & stat.S_IWOTH:
            raise OwnershipError(
                "images are not put where everybody may write",
                where=self.folder,
                found=open_to(state),
                expected="a folder that its owner, or a group of his, writes to",
                fix=f"`chmod o-w {self.folder}` if it is yours, or {fix}",
            )

    def _link(self, path: Path, name: str) -> None:
        link = self.folder / f".{name}.{os.getpid()}.link"
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        link.replace(self.folder / f"{name}{path.suffix}")

    def _read(self, record: Path, folder: Path, publisher: int | None) -> Held | None:
        path = record.with_name(record.name.removesuffix(RECORD))
        try:
            judged = {
                "path": path,
                "shared": folder != self.folder,
                "foreign": trust.foreign(record) or trust.foreign(path),
                "doubt": trust.doubt(record, publisher) or trust.doubt(path, publisher),
            }
            return validate(Held, {**read_json(record), **judged}, where=record) if path.is_file() else None
        except (OSError, ValueError, TypeError, DeepRCError):  # being removed, or not written by us: no image of ours
            return None


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def cannot_write(error: OSError, folder: Path) -> DeepRCError:
    """The error for a folder of images that cannot be written, or whose disk is full."""
    return StorageError(
        "cannot write images here",
        where=folder,
        found=error.strerror,
        fix="free some space there, or name another folder in DEEPRC_IMAGES (`deeprc image prune` removes old images)",
    )
