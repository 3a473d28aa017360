"""Our own folders: the private one of runs, with their keys, the images, the caches; and the working directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from deeprc.core.datasets import cache_folder
from deeprc.core.errors import ConfigError
from deeprc.core.ownership import fault, is_foreign, user
from deeprc.doctor.result import CheckResult
from deeprc.doctor.security.place import Place
from deeprc.doctor.security.rights import Finding, changeable, closed, exchangeable, outcomes
from deeprc.images.catalog import load_catalog
from deeprc.images.store import Held
from deeprc.pilot import curve
from deeprc.pilot.environment import check_path

KEYS = ("key", curve.NAME)  # files in a pilot's folder, with which its processes prove that they are its own
ELSEWHERE = "name another folder, which is yours, by --radical-pilot-folder"


def folders(place: Place) -> list[CheckResult]:
    """Who may read the private folder, and who may change any of ours, or put another in its place."""
    found = outcomes("folders", "private", _unusable(place), None)
    if place.taken:
        findings = [
            ("failed", f"{place.folder} is no folder; expected one of yours alone", f"remove it, or {ELSEWHERE}")
        ]
        found += outcomes("folders", "private", [*findings, *exchangeable(place.folder)], None)
    elif fault(place.folder) or place.folder.exists():
        well = f"{place.folder}: yours alone"
        findings = [*closed(place.folder, fix=ELSEWHERE), *exchangeable(place.folder)]
        found += outcomes("folders", "private", findings, well)
        found += _runs(place) if place.open else []
    else:
        text = f"{place.folder} is not there: no run was started here"
        found.append(CheckResult("folders", "private", "not run", text, "name another one with --folder"))
    images = [("images", place.store.folder), *(("shared images", folder) for folder in place.store.shared)]
    for subject, folder in [*images, ("cache", cache_folder())]:
        if folder.exists():
            well = f"{folder}: nobody but you and root may change it"
            found += outcomes("folders", subject, [*changeable(folder), *exchangeable(folder)], well)
    found += outcomes("folders", "images", [_doubted(held, place) for held in place.store.held() if held.doubt], None)
    if place.copies is not None and place.copies.exists():
        findings = [*closed(place.copies), *exchangeable(place.copies)]
        found += outcomes("folders", "image copies", findings, f"{place.copies}: yours alone")
    return found


def workdir(here: Path) -> list[CheckResult]:
    """Who may put files into a working directory, and what others have put there: by their names alone, profiles,
    workflows and results are read from it.
    """
    findings = [*changeable(here), *exchangeable(here / "Snakefile")]
    with contextlib.suppress(PermissionError):
        for path in [*here.iterdir(), *here.glob("profiles/*"), *here.glob("profiles/*/*"), *here.glob("workflow/*")]:
            if is_foreign(state := path.lstat()):
                fix = "do you trust them? Else remove it before a run"
                findings.append(("warning", f"{path} belongs to {user(state.st_uid)}", fix))
    well = f"{here}: nobody but you and root may write to it, or has"
    return outcomes("folders", "workdir", findings, well)


def _unusable(place: Place) -> Iterator[Finding]:
    """Nobody else's doing, but no run begins there."""
    try:
        check_path(place.folder, what="the private folder", fix="name a plain one by --radical-pilot-folder")
    except ConfigError as error:
        yield "failed", f"{error.where}: {error.problem}: {error.found}; a run is refused there", error.fix


def _doubted(held: Held, place: Place) -> Finding:
    catalog = load_catalog()
    pinned, fix = catalog.pinned(held.name, held.architecture), catalog.advice(held.name, held.architecture)
    why = f"is used only where the catalog pins its digest: {held.doubt}"
    if held.digest == pinned and (other := place.store.why_not(held, pinned)):
        why = f"is never used: {other}"
    return "warning", f"{held.path} {why}", f"{fix} makes one of your own"


def _runs(place: Place) -> list[CheckResult]:
    pilots = [path for run in place.runs for path in run.glob("pilot-*")]
    held = [path for pilot in pilots for path in (pilot / name for name in KEYS) if path.exists() or path.is_symlink()]
    findings = [finding for path in [place.folder / "runs", *place.runs, *pilots, *held] for finding in closed(path)]
    number = f"{len(place.runs)} run{'s' * (len(place.runs) != 1)}, {len(held)} key{'s' * (len(held) != 1)}"
    return outcomes("folders", "runs", findings, f"{number}: yours alone" if place.runs else None)
