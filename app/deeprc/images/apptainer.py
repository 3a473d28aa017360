"""The program `apptainer`: found, called, and its failures told."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from deeprc.images.errors import ImageError, no_room

PROGRAMS = ("apptainer", "singularity")
# What the program needs of the caller's variables. It shows images all that it has (%test and exec; %post those after
# APPTAINERENV_), and takes APPTAINER_BIND and others for options: neither is to change what is built or read.
KEPT = (
    "PATH", "HOME", "USER", "LOGNAME", "TERM", "TZ", "LANG", "LC_*", "TMPDIR", "LD_LIBRARY_PATH", "XDG_*",
    "DBUS_SESSION_BUS_ADDRESS", "SOURCE_DATE_EPOCH", "*_proxy", "*_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    *(f"{name}_{what}" for name in ("APPTAINER", "SINGULARITY")
      for what in ("TMPDIR", "CACHEDIR", "CONFIGDIR", "KEYSDIR", "SYPGPDIR", "CONFIG_FILE", "UNSQUASH", "DOCKER_*")),
)  # fmt: skip
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_prctl = ctypes.CDLL(None).prctl  # bound here: little may be done between a fork and an exec


def available() -> bool:
    """Whether this machine has a runtime."""
    return any(map(shutil.which, PROGRAMS))


def run(
    *arguments: str | Path, what: str, timeout: float | None = None, stdin: str = "", folder: Path | None = None,
    **environment: str,
) -> str:  # fmt: skip
    """The standard output of `apptainer ARGUMENTS`; an ImageError that says `what` failed, with the end of its log."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise ImageError(
            f"{what}: no container runtime here",
            found="neither apptainer nor singularity on PATH",
            fix="load the site's module of Apptainer, or do this on a compute node if only those have it; where the "
            "site has none, pull elsewhere into a folder (`deeprc image pull NAME --to FOLDER`) and copy that",
        )
    command = [program, *map(str, arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, cwd=folder, input=stdin,
            env=surroundings(**environment), preexec_fn=_end_with(os.getpid()),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ImageError(f"{what}: no end after {timeout:.0f} s", found=" ".join(command)) from None
    if done.returncode:
        log = done.stderr or done.stdout
        raise ImageError(f"{what}: apptainer ended with {done.returncode}", found=_end(log), fix=no_room(log))
    return done.stdout


def surroundings(**more: str) -> dict[str, str]:
    """The variables that the program is called with: `KEPT` of the caller's, and `more`."""
    kept = {name: value for name, value in os.environ.items() if any(fnmatchcase(name, each) for each in KEPT)}
    return kept | more


def version() -> str:
    """The runtime's version: `1.4.5`."""
    return run("version", what="asking for the runtime's version", timeout=60).strip()


def labels(path: Path) -> dict[str, str]:
    """The labels of an image."""
    text = run("inspect", "--json", "--labels", path, what=f"reading the labels of {path.name}", timeout=120)
    return json.loads(text)["data"]["attributes"]["labels"] or {}


def signers(path: Path, keyring: Path | None = None) -> tuple[list[dict], str | None]:
    """Who signed the parts of an image: `Fingerprint`, `KeyCheck` and `DataCheck` of each; none where nobody did.

    The second is why Apptainer does not take all of the image for signed, and None where it does: the first names only
    what is. A part that was changed after it was signed has `DataCheck` false. Keys are looked for on this machine
    only.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        run("version", what=f"verifying the signature of {path.name}")
    environment = surroundings(**({"APPTAINER_KEYSDIR": str(keyring)} if keyring else {}))
    command = [program, "verify", "--all", "--local", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)  # rc 255: not valid
    try:
        rows = [row["Signer"] for row in json.loads(done.stdout)["SignerKeys"] or []]
    except ValueError:
        raise ImageError(
            f"verifying the signature of {path.name}: apptainer ended with {done.returncode}", found=_end(done.stderr)
        ) from None
    said = [line.rpartition("integrity: ")[2] for line in done.stderr.splitlines() if line.startswith("FATAL")]
    return rows, ("; ".join(said) or f"apptainer ended with {done.returncode}") if done.returncode else None


def key_index(fingerprint: str) -> str:
    """The number by which `apptainer sign` knows the secret key with that fingerprint."""
    index, known = None, []
    for line in run("key", "list", "--secret", what="listing the secret keys", timeout=60).splitlines():
        head, _, value = line.strip().partition(")" if line[:1].isdigit() else ":")
        if head.isdigit():
            index = head
        elif head == "Fingerprint":
            known.append(value.strip())
            if known[-1].upper() == fingerprint:
                return index
    raise ImageError(
        "no such secret key",
        found=", ".join(known) or "no secret key at all",
        expected=fingerprint,
        fix="make one with `apptainer key newpair`, or name the folder of keys in APPTAINER_KEYSDIR",
    )


def _end_with(parent: int) -> Callable[[], None]:
    """For a child: it ends when this process is killed; else it would write on into what others take for abandoned."""

    def prepare() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # killed before that
            os._exit(1)

    return prepare


def _end(log: str, lines: int = 12) -> str:
    shown = [line[:300] for line in log.strip().splitlines()[-lines:]]
    return "\n    ".join(["the end of its log:", *shown]) if shown else "no message"
