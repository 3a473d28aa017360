"""A run that has ended well makes its results a crate: here its Snakefiles are known, and its report's own job, too."""

from __future__ import annotations

import json
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
        write_crate(folder, private / "runs", main, [*others, *_beside(main)], json.loads(config.model_dump_json()))
    except (DeepRCError, OSError, ValueError) as error:
        return str(error)
    return None


def _beside(main: Path) -> Iterator[Path]:
    """What else lies in the Snakefile's folder: its scripts, schemas and environments."""
    number = 0
    for path in sorted(main.resolve().parent.rglob("*")):
        parts = path.relative_to(main.resolve().parent).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if hidden or path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        if (number := number + 1) > MOST:
            return
        yield path
