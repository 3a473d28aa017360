"""Signing images with a secret key of Apptainer's keyring."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.errors import command
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
        """Sign a SIF file where it lies.

        Raises
        ------
        ImageError
            Where that fails, or the signatures in the file are not by this key alone.
        """
        words = ("sign", "--keyidx", self.index, path)
        apptainer.run(*words, what=f"signing {path.name}", timeout=600, stdin=f"{self.passphrase}\n")
        if (found := sif.signers(path)) != {self.fingerprint}:
            raise ImageError(
                "what was signed is not signed with the key that was asked for", where=path.name,
                found=", ".join(sorted(found)) or "no signature", expected=self.fingerprint,
                fix="see what changes the choice of keys: Apptainer's configuration, or a keyring that others write to",
            )  # fmt: skip


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
        Where there is no such key, or nothing opens it, or others than the user may read the passphrase.
    """
    wanted = fingerprint.replace(" ", "").upper().removeprefix("0X")
    index = apptainer.key_index(wanted)
    if file is not None:
        try:
            if (mode := stat.S_IMODE(file.stat().st_mode)) & (stat.S_IRWXG | stat.S_IRWXO):
                found, fix = f"mode {mode:04o}", command("chmod", "600", file)
                raise ImageError("the passphrase is open to others", where=file, found=found, fix=fix)
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
    """A signed copy of an image of the store, under its own digest; the unsigned one stays until it is pruned.

    Where `held` is signed with another key, the one of the same content that is not is taken.
    """
    found = _signers(held)
    if found - {key.fingerprint}:
        fitting = [each for each in _same(held, store) if not _signers(each) - {key.fingerprint}]
        if not fitting:
            again = f"`deeprc image build {held.name} --again`, then `deeprc image sign {held.name} {key.fingerprint}`"
            raise ImageError(
                "the image is signed with another key, and two signatures are one too many for whoever checks",
                where=held.path, found=", ".join(sorted(found)), expected="an image without a signature", fix=again,
            )  # fmt: skip
        held = max(fitting, key=lambda each: len(_signers(each)))  # a copy that this key has signed already
        found = _signers(held)
    if key.fingerprint in found and held.signed_by == key.fingerprint:
        return held
    facts = held.model_dump(include={"source", "content", "stages"}) | {"signed_by": key.fingerprint}
    with (
        store.lock(f"sign-{held.digest.removeprefix('sha256:')[:16]}"), writing(store.folder),
        leftovers.alone(store.folder, f"sign.{held.name}") as temporary,
    ):  # fmt: skip
        shutil.copyfile(held.path, temporary)
        temporary.chmod(0o755)
        key.sign(temporary)
        return store.adopt(temporary, held.name, held.architecture, sif.digest(temporary), **facts)


def _signers(held: Held) -> set[str]:
    """Whose signatures are in the file, and whose its record tells of."""
    return sif.signers(held.path) | ({held.signed_by} if held.signed_by else set())


def _same(held: Held, store: Store) -> list[Held]:
    """The images beside it, unchanged, that have the same file system."""
    content = sif.digest(held.path, sif.file_system(held.path))
    beside = [
        each for each in store.held()
        if each.path.parent == held.path.parent and each.path != held.path
        and (each.name, each.architecture) == (held.name, held.architecture) and not store.changed(each, read=True)
    ]  # fmt: skip
    return [each for each in beside if sif.digest(each.path, sif.file_system(each.path)) == content]


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
