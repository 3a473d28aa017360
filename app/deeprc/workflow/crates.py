"""A run that has ended well makes its results a crate: here its Snakefiles are known, and its report's own job, too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeprc.applications.config import Config
from deeprc.core.errors import DeepRCError
from deeprc.reporting.crate.kept import keep
from deeprc.reporting.crate.made import NAME
from deeprc.reporting.crate.written import write as write_crate

LARGEST = 1_000_000  # bytes of a file beside a Snakefile that goes with it
MOST = 200  # such files
# Of Snakemake's standard layout (its documentation, "Distribution and Reproducibility").
PARTS = ("rules", "scripts", "envs", "schemas", "notebooks", "report")


def write(workflow: Any, config: Config) -> str | None:
    """Make the results a crate, where the report is newer; why not, where that cannot be done (the run went well)."""
    folder = Path(config.results)
    told, crate = folder / "run.json", folder / NAME
    if not told.is_file() or (crate.is_file() and crate.stat().st_mtime_ns >= told.stat().st_mtime_ns):
        return None
    private = Path(getattr(workflow.executor_settings, "folder", None) or ".deeprc")
    main, *others = (Path(file.get_path_or_uri(secret_free=True)) for file in workflow.included)
    others = [path for path in others if path.is_file()]  # others come from the network
    try:
        keep(folder, private / "runs")
        write_crate(folder, private / "runs", main, [*others, *beside(main)], json.loads(config.model_dump_json()))
    except (DeepRCError, OSError, ValueError) as error:
        return str(error)
    return None


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
