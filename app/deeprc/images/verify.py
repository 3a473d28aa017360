"""Whether images are still what they were: one that is not does not keep the others from being looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from deeprc.core.errors import DeepRCError, command, unknown
from deeprc.images import age, apptainer, documents, labels, sif, transfer, whole
from deeprc.images.catalog import Catalog
from deeprc.images.errors import ImageError
from deeprc.images.leftovers import RECORD
from deeprc.images.site import require
from deeprc.images.store import Held, Store


def verify(store: Store, catalog: Catalog, names: Iterable[str], architecture: str) -> Iterator[str | DeepRCError]:
    """A line or an error for each image, read whole: digest, architecture, labels, signature, and its squashfs file.

    Parameters
    ----------
    names
        Variants, or paths of SIF files; all images of the store where there are none.
    """
    names = list(names)
    for name in names:
        try:
            if os.sep in name or name.endswith(".sif"):
                yield of_file(Path(name), catalog)
            else:
                yield from _held(here(store, catalog, name, architecture), store, catalog)
        except DeepRCError as error:
            yield error
    helds = whole.every(store) if not names else []
    lost = store.unrecorded() if not names else []
    if not names and not helds and not lost:
        yield whole.none_here(store)
    for path in lost:
        fix = f"pull, install or build it again: that writes one; else {command('rm', path)}"
        found = f"no {path.name}{RECORD} that can be read and is of this file"
        yield ImageError("an image without a record, which is never used", where=path, found=found, fix=fix)
    for held in helds:
        try:
            yield from _held(held, store, catalog)
        except DeepRCError as error:
            yield error


def here(store: Store, catalog: Catalog, name: str, architecture: str) -> Held:
    """The image of that name that is here: of the catalog, or one with some of its stages."""
    if image := catalog.find(name):
        return require(store, image, architecture)
    known = {held.name for held in store.held()}
    if name not in known:
        raise unknown("image", name, known | {image.name for image in catalog.images})
    return require(store, name, architecture)


def of_file(file: Path, catalog: Catalog) -> str:
    """What is to be said of a SIF file that may lie anywhere, by its labels."""
    found = apptainer.labels(file) if sif.architecture(file) else {}
    image = catalog.image(found.get(f"{labels.PREFIX}variant", "an image without labels of Deep RC"))
    architecture = found[f"{labels.PREFIX}architecture"]
    transfer.check(file, image, architecture)
    digest, pinned = sif.digest(file), image.digests.get(architecture)
    if pinned and digest != pinned:
        raise ImageError("not the image that the catalog pins", where=file, found=digest, expected=pinned)
    documents.require_beside(file, image.name, digest)
    signed = f", signed with {image.key}" if image.key else ""
    return f"{file}: {image.name}, {digest}{signed}, {age.told(file)}"


def _held(held: Held, store: Store, catalog: Catalog) -> Iterator[str]:
    if why := store.changed(held, read=True):
        fix = f"remove it, then {catalog.advice(held.name, held.architecture)}"
        raise ImageError("not the image that was put here", where=held.path, found=why, fix=fix)
    documents.require_beside(held.path, held.name, held.digest)
    signed_by, pinned = held.signed_by, None
    if image := catalog.find(held.name):
        pinned = held.digest if image.key else image.digests.get(held.architecture)
        try:
            signed_by = transfer.check(held.path, image, held.architecture) or signed_by
        except ImageError as error:
            error.fix = _instead(held, store) or error.fix
            raise
    signed = f", signed with {signed_by}" if signed_by else ""
    doubt = f"; {held.doubt}: only a digest that the catalog pins is believed" if held.doubt else ""
    doubt += (
        f"; {why}: nobody but the bundle that it came in says what it must be" if (why := held.told(pinned)) else ""
    )
    yield f"{held.path}: as it was put here ({held.digest}){signed}, {age.told(held.path)}{doubt}"
    if (path := store.squashfs(held)).exists():
        if why := store.squashfs_fault(held, read=True):
            fix = f"`deeprc image pull {held.name} --squashfs` writes it anew"
            raise ImageError("not the file system of the image", where=path, found=why, fix=fix)
        yield f"{path}: the file system of {held.path.name}"


def _instead(held: Held, store: Store) -> str | None:
    """What to do with an unsigned image where a signed copy of it stands beside it; None where there is none."""
    if held.signed_by or held.shared:
        return None
    content = sif.digest(held.path, sif.file_system(held.path))
    for other in store.held():
        same = (other.name, other.architecture, other.path.parent) == (held.name, held.architecture, held.path.parent)
        newer = same and other.signed_by and other.created >= held.created
        if newer and sif.digest(other.path, sif.file_system(other.path)) == content:
            return f"the signed {other.path.name} beside it has the same content: `deeprc image prune` removes this one"
    return None
