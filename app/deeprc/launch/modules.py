"""Whether modules can be loaded here, one after the other, in a fresh login shell: asked before a pilot is queued."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

MARK = "@deeprc@"
# Makes the command `module` known to shells that did not read the files which do.
KNOWN = """\
if ! type module &> /dev/null; then
  for DEEPRC_INIT in "${LMOD_PKG-}/init/bash" "${MODULESHOME-}/init/bash" /etc/profile.d/{lmod,z00_lmod,modules}.sh \\
    /usr/share/{lmod/lmod,modules}/init/bash; do
    [[ -r $DEEPRC_INIT ]] && . "$DEEPRC_INIT" && type module &> /dev/null && break
  done
  unset -v DEEPRC_INIT
fi"""


def command(module: str) -> str:
    """The shell's line for an entry of a site's list: a module to load, or `use FOLDER`."""
    return f"module {module}" if module.startswith("use ") else f"module load {module}"


@dataclass(frozen=True)
class ModuleFault:
    """A module that does not load.

    Attributes
    ----------
    module
        As the site file names it.
    reason
        `missing` where it did not get loaded, `conflict` where another one of the list went away for it, or was in its
        way; `no modules` where this machine has no command `module`.
    said
        What the module system printed.
    """

    module: str
    reason: str
    said: str

    def __str__(self) -> str:
        what = {
            "missing": "does not load",
            "conflict": "conflicts with another module of the site file",
            "no modules": "cannot be loaded: there is no command `module` in a login shell",
        }[self.reason]
        return f"module {self.module} {what}" + (f": {self.said}" if self.said else "")


def probe(modules: Sequence[str], *, init: str = KNOWN, timeout: float = 60) -> list[ModuleFault]:
    """The problems that loading `modules` in this order meets; empty where all of them load together.

    Parameters
    ----------
    init
        Lines of bash that make the command `module` known.
    """
    if not modules:
        return []
    script = [init, f"type module > /dev/null 2>&1 || {{ echo '{MARK}none'; exit; }}"]
    for module in modules:
        words = shlex.split(module) if module.startswith("use ") else ["load", module]
        # Both systems keep the list of what is loaded in LOADEDMODULES; their exit codes cannot be relied on.
        script.append(f'echo "{MARK}"; module {shlex.join(words)} 2>&1; echo "{MARK}$LOADEDMODULES"')
    done = subprocess.run(
        ["bash", "-l", "-c", "\n".join(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=timeout,
    )
    parts = done.stdout.split(MARK)[1:]
    if parts and parts[0].strip() == "none":
        return [ModuleFault(modules[0], "no modules", "")]
    problems, wanted = [], []
    for module, said, loaded in zip(modules, parts[::2], parts[1::2], strict=False):
        if module.startswith("use "):
            continue
        names = loaded.strip().split(":")
        gone = [earlier for earlier in wanted if not _among(earlier, names)]
        text = " ".join(said.split())
        if not _among(module, names):
            problems.append(ModuleFault(module, "conflict" if "conflict" in text.lower() else "missing", text))
        elif gone:
            problems.append(ModuleFault(module, "conflict", text or f"{', '.join(gone)} went away"))
        wanted = [earlier for earlier in [*wanted, module] if _among(earlier, names)]
    return problems


def _among(module: str, loaded: list[str]) -> bool:
    return any(name == module or name.startswith(f"{module}/") for name in loaded)
