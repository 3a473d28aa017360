"""From a registry to the store: pull by digest, and the check of an image against its catalog entry."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from deeprc.images import apptainer, labels, sbom, sif, whole
from deeprc.images.catalog import DIGEST, Image, catalog_path
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.registry import Address, BeyondEndError, ImageRegistry
from deeprc.images.store import Held, Store, cannot_write
from deeprc.images.workspace import workspace

Progress = Callable[[int, int], None]  # bytes so far, bytes in all
BLOCK = 2**20
ATTEMPTS = 3  # of a transfer that breaks off but goes on when asked again


def entry(image: Image, architecture: str, *, source: str | None = None, digest: str | None = None) -> Image:
    """The catalog's entry, `source` and `digest` in the place of its own.

    Raises
    ------
    ImageError
        Where there is none for that architecture, or no digest: nothing could then be said of what a registry sends; or
        where that is none.
    """
    if digest is not None:
        require_digest(digest)
    if architecture not in image.architectures:
        raise ImageError(
            f"image {image.name} does not exist for {architecture}", expected=" or ".join(image.architectures)
        )
    digest = digest or image.digests.get(architecture)
    if digest is None:
        raise ImageError(
            f"image {image.name}: the catalog pins no digest for {architecture}",
            fix=f"build it (`deeprc image build {image.name}`), or name one with --digest sha256:…",
        )
    return image.model_copy(update={"digests": {architecture: digest}, "uri": source or image.uri})


def require_digest(text: str) -> str:
    """`text`, or an ImageError where it is no digest of an image."""
    if not re.fullmatch(DIGEST.removesuffix("$"), text):
        raise ImageError("not a digest of an image", found=text, expected="sha256: and 64 digits of 0-9 and a-f")
    return text


def address(image: Image) -> Address:
    """Where it is published; an ImageError where it is not."""
    if image.uri is None:
        fix = f"`deeprc image build {image.name}`, or --from"
        raise ImageError(f"image {image.name} is published nowhere", fix=fix)
    return Address.parse(image.uri)


def pull(
    image: Image, store: Store, architecture: str, *, progress: Progress = lambda done, total: None
) -> Held:  # fmt: skip
    """The image, from where it lies already or else from its registry; checked before it gets its name.

    Safe to call many times at once and again after a break: bytes that have arrived are kept. What is here already is
    read whole: one that is damaged is fetched anew.
    """
    image = entry(image, architecture)
    if held := whole.find(store, image, architecture):
        return again(held, image, store)
    source, digest = address(image), image.digests[architecture]
    with store.lock(f"pull-{digest.removeprefix('sha256:')[:16]}") as alone:
        if held := whole.find(store, image, architecture):  # another process was faster
            return again(held, image, store)
        part = store.part(digest, alone=alone)
        download(ImageRegistry(source), digest, part, progress)
        with _dropped_on_refusal(part):
            signed_by = check(part, image, architecture)
        return store.adopt(
            part, image.name, architecture, digest, source=image.uri, signed_by=signed_by, stages=list(image.stages)
        )


def download(registry: ImageRegistry, digest: str, part: Path, progress: Progress) -> None:
    """Bring `part` to the whole of the file with that digest; what is there already is not fetched again.

    Where what was there turns out to be something else, all of it is fetched anew.
    """
    resumed = part.exists()
    found = _persist(registry, digest, part, progress)
    if found != digest and resumed:
        part.unlink()
        found = _persist(registry, digest, part, progress)
    if found != digest:
        part.unlink()
        raise ImageError(
            "what the registry sent is not the image that was asked for; it was thrown away",
            where=registry.address,
            found=found,
            expected=digest,
            fix="try again; if it stays so, tell whoever runs the registry",
        )


def _persist(registry: ImageRegistry, digest: str, part: Path, progress: Progress) -> str:
    """Fetch what is missing, again where it breaks off on the way; the digest of what `part` then is."""
    for attempt in range(1, ATTEMPTS + 1):
        before = part.stat().st_size if part.exists() else 0
        try:
            return _fetch(registry, digest, part, progress)
        except RegistryError as error:
            # Bytes came before it broke off: it is worth going on. Nothing came: the registry is down.
            if attempt == ATTEMPTS or not part.exists() or part.stat().st_size == before:
                raise error
    raise AssertionError("unreachable")


def _fetch(registry: ImageRegistry, digest: str, part: Path, progress: Progress) -> str:
    done, total, found = 0, 0, hashlib.sha256()
    if part.exists():
        with part.open("rb") as handle:
            while block := handle.read(BLOCK):
                found.update(block)
                done += len(block)
        if f"sha256:{found.hexdigest()}" == digest:
            return digest
    try:
        with registry.blob(digest, done) as answer:
            if done and answer.status != 206:  # a registry without ranges: from the start
                done, found = 0, hashlib.sha256()
            total = done + int(answer.headers.get("Content-Length", 0))
            _require_space(part.parent, total - done)
            with _writable(part, "ab" if done else "wb") as handle:
                while block := answer.read(BLOCK):
                    try:
                        handle.write(block)
                    except OSError as error:
                        raise cannot_write(error, part.parent) from error
                    found.update(block)
                    done += len(block)
                    progress(done, total)
    except BeyondEndError:  # as much has arrived as there is, and it is not the image
        return f"sha256:{found.hexdigest()}"
    except (OSError, HTTPException) as error:
        raise RegistryError(
            "the transfer broke off",
            where=registry.address,
            found=error,
            expected=f"{total} bytes; {done} have arrived",
            fix="try again: it goes on from there",
        ) from None
    if done < total:
        raise RegistryError("the transfer broke off", where=registry.address, found=f"{done} of {total} bytes")
    return f"sha256:{found.hexdigest()}"


def check(path: Path, image: Image, architecture: str) -> str | None:
    """Refuse a file that is not `image`: architecture, labels, and the signature where the catalog names a key.

    Returns the fingerprint that it is signed with, where the catalog asks for one.
    """
    if (found := sif.architecture(path)) != architecture:
        raise ImageError(
            f"image {image.name} is for another architecture", where=path, found=found, expected=architecture
        )
    signed_by = check_signature(path, image.key) if image.key else None
    if apptainer.available():
        labels.check(apptainer.labels(path), image, where=path)
    sbom.check(path, image)
    return signed_by


def again(held: Held, image: Image, store: Store, *, verified: bool = True) -> Held:
    """An image that is here already, checked as one that comes now: it may have come when nothing was asked of it.

    Parameters
    ----------
    held
        What has just been read whole (`whole`).
    verified
        Whether somebody besides a bundle says what it must be, by a digest or a key.
    """
    if image.key and held.signed_by == image.key and not apptainer.available():
        return held  # was checked when it came, and is the same
    signed_by = check(held.path, image, held.architecture) or held.signed_by
    return store.note(held, signed_by=signed_by, unverified=held.unverified and not verified)


def check_signature(path: Path, key: str) -> str:
    """Refuse an image that is not signed, wholly and unchanged since, with the key of that fingerprint."""
    published = catalog_path().parent / "keys" / f"{key}.asc"
    with workspace() as folder:
        keyring = None
        if published.is_file():  # a keyring with this key alone; the user's own stays as it is
            keyring, what = folder, f"reading the key {published}"
            apptainer.run("key", "import", published, what=what, timeout=60, APPTAINER_KEYSDIR=str(folder))
        signers, fault = apptainer.signers(path, keyring)
    expected, claimed = f"all of it signed with the key {key}", sif.signers(path)
    if not claimed:
        fix = "`deeprc image sign` it where it was built; else do not use it"
        raise ImageError("the image is not signed", where=path, found="no signature", expected=expected, fix=fix)
    if others := sorted((claimed | {row["Fingerprint"].upper() for row in signers}) - {key}):
        raise ImageError("the image is signed with another key", where=path, found=", ".join(others), expected=expected)
    if not signers and "unknown entity" in (fault or ""):
        fix = f"put the public key in {published}, or `apptainer key import` it; else do not use this image"
        found = f"the key is not known here ({fault})"
        raise ImageError("the signature cannot be checked", where=path, found=found, expected=expected, fix=fix)
    if changed := [row["Partition"] for row in signers if not row["DataCheck"]]:
        found = f"other content than was signed in {', '.join(changed)}"
        raise ImageError("the image was changed after it was signed", where=path, found=found, expected=expected)
    if not all(row["KeyCheck"] for row in signers):
        raise ImageError("the signature cannot be trusted", where=path, found="a key that failed its check")
    if fault or not signers:
        raise ImageError("the image is signed in part only", where=path, found=fault, expected=expected)
    return key


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        error = OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB free, {needed / 1e6:.0f} MB needed")
        raise cannot_write(error, folder)


def _writable(path: Path, mode: str):
    try:
        return path.open(mode)
    except OSError as error:
        raise cannot_write(error, path.parent) from error


@contextmanager
def _dropped_on_refusal(part: Path):
    """Remove a file that is refused for what it is: to keep it would only have it refused again."""
    try:
        yield
    except ImageError:
        if apptainer.available():  # without a runtime it was not judged yet, and need not be fetched again
            part.unlink(missing_ok=True)
        raise
