"""The modules system, the container runtimes and the C library."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.ask import ask

ROOT = Path("/")
RUNTIMES = ("apptainer", "singularity", "podman-hpc", "shifter")


@dataclass(frozen=True)
class Program:
    """A program by its name, with its version."""

    name: str
    version: str | None = None


def modules_system(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> Program | None:
    """Lmod or Environment Modules (`tcl`); None where there is neither."""
    if environment.get("LMOD_CMD") or environment.get("LMOD_VERSION"):
        return Program("lmod", environment.get("LMOD_VERSION"))
    if environment.get("MODULES_CMD") or environment.get("MODULESHOME"):
        return Program("tcl", environment.get("MODULE_VERSION"))
    for name, paths in (
        ("lmod", ("usr/share/lmod", "opt/apps/lmod", "opt/cray/pe/lmod")),
        ("tcl", ("usr/share/Modules", "usr/share/modules", "opt/cray/pe/modules")),
    ):
        if any((root / path).is_dir() for path in paths):
            return Program(name)  # installed; this shell has not read its start-up file
    return None


def loaded_modules(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The modules of this shell."""
    return [name for name in environment.get("LOADEDMODULES", "").split(":") if name]


def runtimes() -> list[Program]:
    """The container runtimes on the PATH. Apptainer's `singularity` is Apptainer, and counts once."""
    found = []
    for name in RUNTIMES:
        text = ask([name, "--version"])
        if text is None or (name == "singularity" and "apptainer" in text.lower()):
            continue
        version = re.search(r"\d+(?:\.\d+)+", text)
        found.append(Program(name, version.group() if version else None))
    return found


def glibc() -> str | None:
    """The C library's version; None for another library."""
    name, version = platform.libc_ver()
    return version if name == "glibc" else None
