"""Signing images with a secret key of Apptainer's keyring."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeprc.images import apptainer, leftovers, sif
from deeprc.images.errors import ImageError
from deeprc.images.store import Held, Store, writing
from deeprc.images.workspace import workspace

WRONG = "private key checksum failure"  # what Apptainer says of a passphrase that does not open the key
Ask = Callable[[], str | None]


@dataclass(frozen=True)
class Signer:
    """A key that signs, with what opens it.

    Attributes
    ----------
    fingerprint
        Of the key, in capitals.
    index
        The number by which `apptainer sign` knows it.
    passphrase
        Empty for a key without one.
    """

    fingerprint: str
    index: str
    passphrase: str = ""

    def sign(self, path: Path) -> None:
        """Sign a SIF file where it lies."""
        words = ("sign", "--keyidx", self.index, path)
        apptainer.run(*words, what=f"signing {path.name}", timeout=600, stdin=f"{self.passphrase}\n")


def signer(fingerprint: str, *, file: Path | None = None, ask: Ask = lambda: None) -> Signer:
    """The key of that fingerprint, once it has signed something: before a build, not after it.

    Parameters
    ----------
    fingerprint
        In any case, with or without spaces and `0x`.
    file
        Holds the passphrase in its first line.
    ask
        Asks whoever is at the terminal; None where nobody is.

    Raises
    ------
    ImageError
        Where there is no such key, or nothing opens it.
    """
    wanted = fingerprint.replace(" ", "").upper().removeprefix("0X")
    index = apptainer.key_index(wanted)
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines() or [""]
        except (OSError, ValueError) as error:
            raise ImageError("cannot read the passphrase", where=file, found=error) from None
        return _proven(Signer(wanted, index, lines[0]), f"in {file}")
    try:
        return _proven(Signer(wanted, index), None)
    except ImageError as error:
        if WRONG not in str(error.found) or (given := ask()) is None:
            raise
    return _proven(Signer(wanted, index, given), "that was typed")


def asked() -> str | None:
    """A passphrase from the terminal; None where there is none."""
    if not sys.stdin.isatty():
        return None
    from getpass import getpass

    return getpass("passphrase of the key: ")


def signed(held: Held, key: Signer, store: Store) -> Held:
    """A signed copy of an image of the store, under its own digest; the unsigned one stays until it is pruned."""
    found = {row["Fingerprint"].upper() for row in apptainer.signers(held.path)[0]}
    if key.fingerprint in found and held.signed_by == key.fingerprint:
        return held
    if found - {key.fingerprint} or (held.signed_by or key.fingerprint) != key.fingerprint:
        raise ImageError(
            "the image is signed with another key, and two signatures are one too many for whoever checks",
            where=held.path, found=", ".join(sorted(found)) or held.signed_by, expected="an image without a signature",
            fix=f"build it without --sign, then `deeprc image sign {held.name} {key.fingerprint}`",
        )  # fmt: skip
    facts = held.model_dump(include={"source", "content", "stages"}) | {"signed_by": key.fingerprint}
    with (
        store.lock(f"sign-{held.digest.removeprefix('sha256:')[:16]}"), writing(store.folder),
        leftovers.alone(store.folder, f"sign.{held.name}") as temporary,
    ):  # fmt: skip
        shutil.copyfile(held.path, temporary)
        temporary.chmod(0o755)
        key.sign(temporary)
        return store.adopt(temporary, held.name, held.architecture, sif.digest(temporary), **facts)


def _proven(key: Signer, passphrase: str | None) -> Signer:
    """`key`, once it has signed a SIF file with nothing in it."""
    with workspace() as folder:
        probe, content = folder / "probe.sif", folder / "content"
        content.write_text("{}")
        what = f"trying the key {key.fingerprint}"
        apptainer.run("sif", "new", probe, what=what, timeout=60)
        apptainer.run("sif", "add", "--datatype", "6", "--groupid", "1", probe, content, what=what, timeout=60)
        try:
            key.sign(probe)
        except ImageError as error:
            if WRONG not in str(error.found):
                raise
            raise ImageError(
                "the key does not sign: its passphrase is another one" if passphrase else "the key has a passphrase",
                where=key.fingerprint,
                found=f"the one {passphrase}" if passphrase else f"none was given ({WRONG})",
                fix="give it in a file with --passphrase-file, or where a terminal can ask for it",
            ) from None
    return key
