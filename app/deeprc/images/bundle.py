"""Images in one file, for machines without a network: a tar with the SIF files, their catalog and keys, and checksums.

What is installed from it is checked as after a pull: digest, architecture, labels, SBOM, and the signature where the
catalog of the machine that installs names a key. The bundle's own catalog and keys are for a machine that has none.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from deeprc.core.files import atomic_large
from deeprc.core.validation import validate
from deeprc.images import documents, sif, transfer, whole
from deeprc.images.catalog import Catalog, Image, catalog_path
from deeprc.images.errors import ImageError
from deeprc.images.held import Held
from deeprc.images.store import Store, writing

SUMS, CATALOG = "SHA256SUMS", "catalog.yaml"  # `sha256sum --check SHA256SUMS` works on what was unpacked
BLOCK = 4 * 2**20
VERIFY = (
    "the bundle's own checksums, catalog and keys are the word of whoever wrote it: compare the digest with what came "
    "another way, then pin it in the catalog or give it (`--digest sha256:…`); `--unverified` takes it without"
)


def write(chosen: Sequence[tuple[Image, Held]], target: Path) -> Iterator[str]:
    """Write the bundle; a line for each file in it.

    Raises
    ------
    ImageError
        Where something is there already, or an image is not what was put here.
    """
    if target.exists():
        raise ImageError("there is something already", where=target, fix="name another file with --to")
    names = [image.name for image, _ in chosen]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ImageError("named more than once", found=", ".join(twice), fix="name each image once")
    entries, files = [], {}
    for image, held in chosen:
        if (found := sif.digest(held.path)) != held.digest:
            raise ImageError("not the image that was put here", where=held.path, found=found, expected=held.digest)
        transfer.check(held.path, image, held.architecture)
        documents.require_beside(held.path, held.name, held.digest)
        entries.append(image.model_copy(update={"digests": {held.architecture: held.digest}}))
        files |= {path.name: path for path in [held.path, *documents.beside(held.path)] if path.is_file()}
        key = catalog_path().parent / "keys" / f"{image.key}.asc"
        files |= {f"keys/{key.name}": key} if image.key and key.is_file() else {}
    catalog = yaml.safe_dump(Catalog(images=entries).model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    sums = {CATALOG: hashlib.sha256(catalog.encode()).hexdigest()}
    sums |= {name: sif.digest(path).removeprefix("sha256:") for name, path in sorted(files.items())}
    with atomic_large(target, new=True) as new, tarfile.open(new, "w") as archive:
        add(archive, SUMS, "".join(f"{code}  {name}\n" for name, code in sums.items()))
        add(archive, CATALOG, catalog)
        for name, path in sorted(files.items()):
            archive.add(path, name, filter=anonymous)
    yield from (f"{code}  {name}" for name, code in sums.items())


def install(
    file: Path, store: Store, catalog: Catalog, names: Iterable[str] = (), *, digests: Collection[str] = (),
    unverified: bool = False,
) -> list[Held]:  # fmt: skip
    """Take images out of a bundle into the store.

    Parameters
    ----------
    digests
        What whoever installs knows of the images from elsewhere, as `pull --digest`.
    unverified
        Whether an image is taken of which neither the catalog nor `digests` say anything.

    Raises
    ------
    ImageError
        For a file that is no bundle or whose files are not those of its checksums, all of them and no others; an image
        that is not in it, or is not what this catalog pins, or of which nobody but the bundle says what it is.
    """
    try:
        with tarfile.open(file) as archive:
            sums = _checked(archive, file)
            mine = validate(Catalog, yaml.safe_load(_text(archive, CATALOG)), where=f"{file}, {CATALOG}")
            wanted = [mine.image(name) for name in names] or mine.images
            for image in wanted:
                _require_one(image, sums, file)
            there = {digest for image in wanted for digest in image.digests.values()}
            if odd := sorted({*digests} - there):
                held = ", ".join(sorted(there))
                raise ImageError("no such image in the bundle", where=file, found=held, expected=", ".join(odd))
            unknown = [image for image in wanted if not {*image.digests.values()} & {*digests}]
            told = [why for image in unknown if (why := unchecked(image, catalog))]
            if told and not unverified:
                raise ImageError("not verified", where=file, found="; ".join(told), fix=VERIFY)
            doubted = [image for image in unknown if unchecked(image, catalog)]
            return [_install(archive, file, image, sums, store, catalog, image not in doubted) for image in wanted]
    except (tarfile.TarError, OSError, KeyError, ValueError, yaml.YAMLError) as error:
        expected = "what `deeprc image bundle` writes"
        raise ImageError("not a whole bundle of images", where=file, found=error, expected=expected) from None


def _install(
    archive: tarfile.TarFile,
    file: Path,
    image: Image,
    sums: dict[str, str],
    store: Store,
    catalog: Catalog,
    verified: bool,
) -> Held:
    [(architecture, digest)] = image.digests.items()
    known = catalog.find(image.name) or image
    if (pinned := known.digests.get(architecture, digest)) != digest:
        raise ImageError(
            f"the bundle's image {image.name} is not the one that the catalog pins", found=digest, expected=pinned
        )
    if held := whole.find(store, known.model_copy(update={"digests": {architecture: digest}}), architecture):
        return transfer.again(held, known, store, verified=verified)
    name = next(name for name, code in sums.items() if f"sha256:{code}" == digest)
    with store.lock(f"pull-{digest.removeprefix('sha256:')[:16]}"):
        part = store.part(digest)
        try:
            with archive.extractfile(name) as source, writing(store.folder), part.open("wb") as copy:
                shutil.copyfileobj(source, copy, BLOCK)
            if (found := sif.digest(part)) != digest:
                raise ImageError("the image in the bundle is damaged", where=name, found=found, expected=digest)
            try:
                signed_by = transfer.check(part, known, architecture)
            except ImageError as error:
                error.where = f"{file}, {name}" if error.where == part else error.where
                raise
            facts = {"source": image.uri or "bundle", "signed_by": signed_by, "stages": list(image.stages)}
            return store.adopt(part, image.name, architecture, digest, unverified=not verified, **facts)
        finally:
            part.unlink(missing_ok=True)


def _require_one(image: Image, sums: dict[str, str], file: Path) -> None:
    """Refuse a bundle's entry of an image that is not of one file in it."""
    digests = [*image.digests.values()]
    odd = f"{image.name} with {len(digests)} digests" if len(digests) != 1 else None
    if not odd and digests[0].removeprefix("sha256:") not in sums.values():
        odd = f"{image.name}: no file with the digest {digests[0]}"
    if odd:
        problem = "a bundle's catalog names each image with the one digest of its file"
        raise ImageError(problem, where=f"{file}, {CATALOG}", found=odd, fix="write it with `deeprc image bundle`")


def _checked(archive: tarfile.TarFile, file: Path) -> dict[str, str]:
    """The checksums by the names of files, once all of these are what they say, and there are no others."""
    found = {}
    for member in archive.getmembers():
        if not member.isfile() or member.name in found:
            raise ImageError("not a bundle of images", where=file, found=f"{member.name}, twice or no plain file")
        with archive.extractfile(member) as source:
            found[member.name] = hashlib.file_digest(source, "sha256").hexdigest()
    del found[SUMS]
    lines = _text(archive, SUMS).splitlines()
    sums = {row[2]: row[1] for line in lines if (row := re.fullmatch(r"([0-9a-f]{64})  (.+)", line))}
    faults = [f"{name} is not in it" for name in sorted({*sums, CATALOG} - {*found})]
    faults += [f"{name} is in it and has no checksum" for name in sorted({*found} - {*sums})]
    changed = sorted(name for name in {*found} & {*sums} if found[name] != sums[name])
    faults += [f"{name} has the digest {found[name]}, not {sums[name]}" for name in changed]
    if faults or len(sums) != len(lines):
        told = "; ".join(faults) or "lines that are no checksums"
        fix = "copy it again; `sha256sum` of it where it was written says whether it is the same"
        raise ImageError(f"the bundle is damaged: it is not what its {SUMS} says", where=file, found=told, fix=fix)
    return sums


def unchecked(image: Image, catalog: Catalog) -> str | None:
    """Why nothing of the catalog here is compared with the bytes of a bundle's image; None where something is."""
    [(architecture, digest)] = image.digests.items()
    known = catalog.find(image.name)
    if known and (known.key or architecture in known.digests):
        return None
    lacking = "pins no digest and names no key" if known else "has no such image"
    return f"{image.name}, {digest}: the catalog here {lacking}"


def _text(archive: tarfile.TarFile, name: str) -> str:
    return archive.extractfile(name).read().decode()


def add(archive: tarfile.TarFile, name: str, text: str) -> None:
    """Put a text into an archive, as a file of that name."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data := text.encode())
    archive.addfile(entry, io.BytesIO(data))


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same member of an archive, of nobody in particular."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
