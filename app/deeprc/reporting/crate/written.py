"""The results folder becomes a crate, once a run's report is made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from deeprc.core.errors import InputError
from deeprc.core.files import read_json, write_json
from deeprc.reporting.crate import made, sources
from deeprc.reporting.crate.opened import NAME
from deeprc.reporting.crate.plain import hiding
from deeprc.reporting.events import latest, read_runs

CITATION, OURS = "CITATION.cff", "Deep RC"  # a checkout's own: the results in it are somebody's else


def write(
    folder: Path, runs: Path, main: Path, others: Iterable[Path], settings: dict | None,
    files: Iterable[Path] = (), own: Mapping[str, Path] | None = None,
) -> Path:  # fmt: skip
    """Write `ro-crate-metadata.json` and the workflow's files into a results folder.

    Parameters
    ----------
    folder
        It holds `run.json`.
    runs
        The folder of runs.
    main, others
        The Snakefile, and all else that it reads of the workflow.
    settings
        The whole configuration, of which Deep RC's workflow may have seen a part.
    files
        The files below the working directory that it came from, named from there.
    own
        Of the rules that are not of Deep RC's workflow: by their names, the Snakefile that each is from.

    Raises
    ------
    InputError
        Where no events of a run can be read.
    """
    about, found = read_json(folder / "run.json"), read_runs(runs, [])
    if not found:
        raise InputError("no events of a run, of which the crate is made", where=runs)
    hide = hiding(settings)
    places = sources.places(main, others)
    # YAML knows dates: as texts, they stand in a command as they did.
    config = json.loads(json.dumps(hide(settings), default=str))
    placed = sources.copy(folder, places, config, hide, files)
    of = {path.resolve(): place for place, path in places.items()}
    rules = {name: of.get(path.resolve(), placed[0]) for name, path in (own or {}).items()}
    about["config"] = {**(config or {}), **about["config"]}
    tasks = latest(found, [folder])
    whole = made.made(folder, about, found[-1], tasks, placed, hide, stated(main), rules)
    write_json(folder / NAME, whole)
    return folder / NAME


def stated(main: Path) -> dict:
    """Licence and authors, by the CITATION.cff beside the Snakefile or above its folder; nothing without one."""
    for folder in (main.resolve().parent, main.resolve().parent.parent):
        if (path := folder / CITATION).is_file():
            told = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            authors = [*filter(None, map(_person, told.get("authors") or []))]
            own = told.get("title") != OURS
            return {"license": told.get("license"), "authors": authors, "own": own}
    return {}


def _person(author: dict) -> str:
    return author.get("name") or " ".join(filter(None, (author.get("given-names"), author.get("family-names"))))
