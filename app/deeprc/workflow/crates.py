"""A run that has ended well makes its results a crate: here its Snakefiles are known, and its report's own job, too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deeprc.applications.config import Config
from deeprc.core.errors import DeepRCError
from deeprc.core.shipped import SHIPPED
from deeprc.reporting.crate.kept import keep
from deeprc.reporting.crate.opened import NAME
from deeprc.reporting.crate.sources import CONFIG
from deeprc.reporting.crate.written import write as write_crate

LARGEST = 1_000_000  # bytes of a file beside a Snakefile that goes with it
MOST = 200  # such files
# Of Snakemake's standard layout (its documentation, "Distribution and Reproducibility").
PARTS = ("rules", "scripts", "envs", "schemas", "notebooks", "report")


def write(workflow: Any, config: Config, seen: dict, ours: set) -> str | None:
    """Make the results a crate, where the report is newer; why not, where that cannot be done (the run went well).

    Parameters
    ----------
    config, seen
        The configuration of our workflow, and the mapping of Snakemake's that it was read from.
    ours
        Our workflow's rules: another one, which takes ours as a module, has more, and keys of its own.
    """
    folder = Path(config.results)
    told, crate = folder / "run.json", folder / NAME
    if not told.is_file() or (crate.is_file() and crate.stat().st_mtime_ns >= told.stat().st_mtime_ns):
        return None
    private = Path(getattr(workflow.executor_settings, "folder", None) or ".deeprc")
    main, *others = (Path(file.get_path_or_uri(secret_free=True)) for file in workflow.included)
    others = [path for path in others if path.is_file()]  # others come from the network
    try:
        keep(folder, private / "runs")
        own = {rule.name: Path(rule.snakefile) for rule in workflow.rules if rule not in ours}
        # As it stands where it is another's: its rules may tell a key that was given from one that was not.
        alone = not own and workflow.config is seen
        settings = json.loads(config.model_dump_json()) if alone else workflow.config
        files = configfiles(workflow.configfiles)
        write_crate(folder, private / "runs", main, [*others, *beside(main)], settings, files, own)
    except (DeepRCError, OSError, ValueError) as error:
        return str(error)
    return None


def configfiles(files: Iterable[object]) -> list[Path]:
    """Those below the working directory, named from there; what comes with Deep RC is no study's.

    Nor that which `deeprc rerun` lays down: in a crate the whole configuration has this place.
    """
    here, shipped = Path.cwd().resolve(), (SHIPPED / "workflows").resolve()
    found = {path: None for path in (Path(str(file)).resolve() for file in files) if path.is_file()}
    return [
        path.relative_to(here)
        for path in found
        if path.is_relative_to(here)
        and path != here / CONFIG
        and not path.is_relative_to(shipped)
        and path.stat().st_size <= LARGEST
    ]


def beside(main: Path) -> Iterator[Path]:
    """What belongs to a workflow by Snakemake's layout: files in these folders beside the Snakefile, and no others.

    Beside it may lie anything: data, results, files that are nobody else's business, a home folder.
    """
    number = 0
    for top in (main.resolve().parent / name for name in PARTS):
        for place, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name[0] != "." and name != "__pycache__")
            for path in (Path(place, name) for name in sorted(names) if name[0] != "."):
                if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
                    continue
                if (number := number + 1) > MOST:
                    return
                yield path
