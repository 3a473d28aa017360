"""The images that this machine holds: facility folders that are only read, and the user's own.

An image lies under a name that holds its digest, so a new one never replaces an old one that a run may be using.
Beside it stands a record (JSON); a file without one is not (or no longer) an image of the store.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deeprc.core.errors import DeepRCError
from deeprc.core.files import StorageError, atomic, read_json, storage_error, write_json
from deeprc.core.ownership import fault
from deeprc.core.validation import validate
from deeprc.images import documents, leftovers, sif, squashfs, trust
from deeprc.images.catalog import Image
from deeprc.images.held import JUDGED, Held
from deeprc.images.leftovers import IMAGE, RECORD, SIF, SQUASHFS


class Store:
    """The folders of images.

    Parameters
    ----------
    folder
        The user's own; $DEEPRC_IMAGES, else `deeprc/images` in the user's cache folder.
    shared
        Facility folders that are looked in first and never written; $DEEPRC_SHARED_IMAGES (separated by colons).
    public
        Whether `folder` is to be others' shared one: readable by all, whatever the umask.
    """

    def __init__(
        self, folder: str | Path | None = None, shared: Iterable[str | Path] | None = None, *, public: bool = False
    ) -> None:
        self.public = public
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
            if trust.closed(folder):  # told where an image is missed, see `site.require`
                continue
            publisher = trust.publisher(folder) if folder != self.folder else None
            rows = [self._read(path, folder, publisher) for path in folder.glob(f"*.sif{RECORD}")]
            found += sorted(filter(None, rows), key=lambda held: -held.created)
        return found

    def closed(self) -> list[str]:
        """What is in the folders, or may be, and cannot be read by the user."""
        folders = [*self.shared, self.folder]
        found = [why for folder in folders for why in (trust.closed(folder), *trust.unread(folder)) if why]
        found += [
            f"{folder} is not there" for folder in self.shared if not trust.closed(folder) and not folder.exists()
        ]
        found += [f"{path} has no record that can be read" for path in self.unrecorded()]
        return list(dict.fromkeys(found))

    def unrecorded(self) -> list[Path]:
        """Files under an image's name that are no images of the store: their records are lost or damaged."""
        found = [
            (path, folder) for folder in [*self.shared, self.folder] if not trust.closed(folder)
            for path in sorted(folder.glob(f"*{SIF}")) if IMAGE.fullmatch(path.name)
        ]  # fmt: skip
        lost = [path for path, folder in found if not self._read(path.with_name(path.name + RECORD), folder, None)]
        return [path for path in lost if path.is_file()]  # the others are being removed

    def find(self, image: Image | str, architecture: str) -> Held | None:
        """The image to run: the one that the catalog pins, else the newest of that name; None where it is not here.

        A file that is neither the user's own nor root's, or that others may write to, is read whole, once. Where the
        catalog pins no digest it must be published: by the owner of a shared folder, who alone may write to it. One
        that is no longer what it was when it was put here is passed over (`why_not`).
        """
        name, pinned = (image, None) if isinstance(image, str) else (image.name, image.digests.get(architecture))
        return next(
            (
                held
                for held in self.held()
                if (held.name, held.architecture) == (name, architecture)
                and pinned in (None, held.digest)
                and not self.why_not(held, pinned)
            ),
            None,
        )

    def why_not(self, held: Held, pinned: str | None) -> str | None:
        """Why an image is passed over where the catalog pins that digest, or none; None where it is not."""
        if not held.doubt:
            return self.changed(held)
        if held.digest != pinned:
            return held.doubt
        found = trust.digest(held.path)
        return None if found == pinned else f"{held.path.name} has the digest {found}, and the catalog pins {pinned}"

    def built(self, content: str) -> Held | None:
        """The image that was built here from exactly that."""
        return next(
            (
                held
                for held in self.held()
                if held.content == content and not (held.shared or held.foreign) and not self.changed(held)
            ),
            None,
        )

    def changed(self, held: Held, *, read: bool = False) -> str | None:
        """Why the file is not what it was when it was put here: by size and time, or (`read`) by its digest."""
        try:
            state = held.path.stat()
            if not read and not held.foreign and (state.st_size, state.st_mtime_ns) == (held.size, held.mtime_ns):
                return None
            found = trust.digest(held.path) if held.foreign and not read else sif.digest(held.path)
        except OSError as error:
            return f"{held.path.name} cannot be read: {error.strerror}"
        if found == held.digest:
            return None
        return f"{held.path.name} was changed after it was put here: {found}, expected {held.digest}"

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
        state = temporary.stat()
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
        # The record first: whatever lies under an image's name has one, and is known to be ours.
        self._record(held)
        temporary.replace(path)
        self._link(path, name)
        documents.write_beside(path, name, digest)
        return held

    def note(self, held: Held, **facts: object) -> Held:
        """`held` with other facts, which its record keeps where it is the user's own."""
        changed = held.model_copy(update=facts)
        if changed != held and not held.shared:
            self._record(changed)
        return changed

    def squashfs(self, held: Held) -> Path:
        """Where the image's file system alone is, for runtimes that take no SIF; or where `make_squashfs` writes it.

        One beside a shared image is taken where it is what lies in the image.
        """
        own, there = self.folder / squashfs.beside(held.path).name, squashfs.beside(held.path)
        return own if there == own or not there.exists() or squashfs.fault(there, held.path, held.digest) else there

    def squashfs_fault(self, held: Held, *, read: bool = False) -> str | None:
        """Why that file is not the image's file system; None where it is."""
        path = self.squashfs(held)
        return squashfs.fault(path, held.path, held.digest, read=read) if path.exists() else f"{path} is not here"

    def make_squashfs(self, held: Held) -> Path:
        """Write it, where it is not there yet or is not what it was, with a link `NAME.sqsh` to it."""
        path = self.squashfs(held)
        if self.squashfs_fault(held):
            squashfs.make(path, held.path, held.digest)
            self._link(path, held.name)
        return path

    def describe_squashfs(self, held: Held, image: Image) -> Path | None:
        """Write what uenv is told of the user's own; the folder. See `squashfs.describe`."""
        path = self.squashfs(held)
        return squashfs.describe(path, image, held.digest) if path.parent == self.folder else None

    def remove(self, held: Held) -> None:
        """Remove an image of the user's own folder; the records last, so that nothing lies there without one."""
        for path in documents.beside(held.path):
            path.unlink(missing_ok=True)
        for path in (held.path, held.path.with_suffix(SQUASHFS)):
            path.unlink(missing_ok=True)
            path.with_name(path.name + RECORD).unlink(missing_ok=True)
        shutil.rmtree(held.path.with_suffix(squashfs.UENV), ignore_errors=True)
        for suffix in (SIF, SQUASHFS):
            link = self.folder / f"{held.name}{suffix}"
            if link.is_symlink() and not link.exists():
                link.unlink()

    def prune(self, keep: Iterable[Held]) -> list[Path]:
        """Remove the user's own images that are not among `keep`, and what unfinished pulls and builds left behind.

        Ours are those with a record and the name that it asks for, and what `leftovers` knows by its name.
        """
        kept, removed = {held.path for held in keep}, []
        for held in self.held():
            if not held.shared and held.path not in kept and held.path.lstat().st_uid == os.geteuid():
                self.remove(held)
                removed.append(held.path)
        for path in [*leftovers.unfinished(self.folder), *leftovers.bases(self.bases)]:
            leftovers.remove(path)
            removed.append(path)
        leftovers.unlock(self.folder)
        return removed + leftovers.sweep(self.folder) + leftovers.sweep(self.bases)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Let one process at a time do what `name` names, on every node that shares the folder; False without locks.

        Some parallel file systems have none. Files are complete before they get their names, so the worst is then that
        the same is done twice.
        """
        try:
            made = [each for each in (self.folder, *self.folder.parents) if not each.exists()]
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            for each in made if self.public else []:
                each.chmod(0o755)  # whatever the umask; a folder that stood there keeps its access
            trust.require_closed(self.folder)
            leftovers.sweep(self.folder)
            handle, alone = leftovers.locked(self.folder / f".{name}.lock")
        except OSError as error:
            raise cannot_write(error, self.folder) from error
        with handle:
            yield alone

    def _record(self, held: Held) -> None:
        with atomic(held.path.with_name(held.path.name + RECORD)) as new:
            write_json(new, held.model_dump(mode="json", exclude=set(JUDGED)))
            new.chmod(0o644)  # whatever the umask: one that others may write to would not be believed

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
            held = validate(Held, {**read_json(record), **judged}, where=record) if path.is_file() else None
            named = held and self.path(held.name, held.architecture, held.digest).name
            return held if named == path.name else None
        except (OSError, ValueError, TypeError, DeepRCError):  # being removed, or not written by us: no image of ours
            return None


def cannot_write(error: OSError, folder: Path) -> DeepRCError:
    """The error for a folder of images that cannot be written, or whose disk is full."""
    other = "name another folder in DEEPRC_IMAGES, or by --to"
    told = storage_error(error, folder, room="free some space (`deeprc image prune` removes old images)", other=other)
    if told is error:
        return StorageError("cannot write images here", where=folder, found=error.strerror or error, fix=other)
    return told


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tell what keeps images from being written to that folder."""
    try:
        yield
    except OSError as error:
        raise cannot_write(error, folder) from error
