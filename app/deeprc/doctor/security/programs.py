"""What is run from: this installation, the site files, the folders of PATH and PYTHONPATH; and the umask."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import deeprc
from deeprc.core.ownership import is_unmapped, user
from deeprc.doctor.result import CheckResult
from deeprc.doctor.security.rights import Finding, changeable, exchangeable, outcomes
from deeprc.sites import sites_folder
from deeprc.sites.load import FOLDER

PLUGIN = "snakemake_executor_plugin_radical_pilot"


def programs() -> list[CheckResult]:
    """Whoever may change one of these has what he likes run by the user."""
    plugin = importlib.util.find_spec(PLUGIN)
    package = [Path(deeprc.__file__).parent, *(map(Path, plugin.submodule_search_locations) if plugin else ())]
    listed = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    libraries = [Path(path) for path in sys.path if path not in listed and _exists(Path(path))]
    found = []
    for subject, tops, inside in (
        ("environment", [Path(sys.prefix), Path(sys.prefix, "bin"), Path(sys.executable), *libraries], "*"),
        ("deeprc", package, "**/*"),
        ("site files", [sites_folder(), *filter(_exists, [Path(FOLDER).absolute()])], "**/*"),
    ):
        findings = [finding for top in tops for finding in [*changeable(top), *exchangeable(top)]]
        below = [path for top in tops if top != Path(sys.prefix) for path in _below(top, inside)]
        findings += [finding for path in below for finding in changeable(path)]
        found += outcomes("programs", subject, findings, f"{tops[0]}: nobody but you and root may change it")
    for variable in ("PATH", "PYTHONPATH"):
        if entries := os.environ.get(variable):
            entries = entries.split(os.pathsep)
            findings = [finding for entry in entries for finding in _entry(variable, entry)]
            found += outcomes("programs", variable, findings, f"{len(entries)} folders, all yours or root's")
    return found


def _entry(variable: str, entry: str) -> Iterator[Finding]:
    """A folder of a list like PATH: who may write to it, or make it where it is missing."""
    path, fix = Path(entry), f"take it off {variable}"
    if not path.is_absolute():
        yield "failed", f"{entry!r} is any folder that you stand in; expected absolute paths only", fix
        return
    there = next(each for each in (path, *path.parents) if _exists(each))
    for status, text, mend in [*changeable(there), *exchangeable(path)]:
        yield status, text if there == path else f"{path} is missing, and {text}", f"{mend}, or {fix}"


def _below(folder: Path, pattern: str) -> list[Path]:
    try:
        return [*folder.glob(pattern)]
    except OSError:  # no folder, or closed to us
        return []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that is closed to us
        return False


def namespace() -> list[CheckResult]:
    """What cannot be told from within a user namespace; nothing outside of one."""
    overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    if not is_unmapped(overflow):
        return []
    text = f"most users of the machine look like {user(overflow)} here: of what is theirs, owners were not judged"
    return [CheckResult("namespace", "owners", "warning", text, "look from outside of the container or `unshare`, too")]


def umask() -> list[CheckResult]:
    """Whether the files that are made can be changed by others."""
    text = re.search(r"^Umask:\s*(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)[1]
    mask, fix = int(text, 8), "`umask 022` (or 077) where your shell starts"
    if not mask & 0o002:
        return [
            CheckResult("umask", "umask", "failed", f"{text}: everybody may change what you make; expected 022", fix)
        ]
    if not mask & 0o020:
        return [
            CheckResult("umask", "umask", "warning", f"{text}: your group may change what you make; expected 022", fix)
        ]
    return [CheckResult("umask", "umask", "ok", f"{text}: nobody else may change what you make")]
