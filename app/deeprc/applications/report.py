"""Stage report: the page, every model's metrics, and where the numbers come from."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base.application import METRICS
from deeprc.applications.base.products import refuse_mixed, refuse_untold
from deeprc.applications.base.sweep.report import Swept
from deeprc.applications.base.sweep.trials import SWEEP
from deeprc.applications.registry import absent, applications
from deeprc.core.errors import ConfigError, InputError
from deeprc.core.files import write_json, write_text
from deeprc.core.fingerprint import KEY
from deeprc.core.ownership import require_private
from deeprc.core.stage import run
from deeprc.reporting import page, tables
from deeprc.reporting.before import before
from deeprc.reporting.events import latest, read_runs
from deeprc.reporting.provenance import data_files, provenance, used


def main(
    pipelines: Annotated[list[str], typer.Argument(help="pairs NAME=FOLDER: a pipeline and the folder of its results")],
    out: Annotated[Path, typer.Option(help="the folder for report.html, metrics.json and run.json")],
    events: Annotated[
        Path | None,
        typer.Option(help="a folder of runs, one run's folder or its events.jsonl; else the runs beside $DEEPRC_RUN"),
    ] = None,
    site_file: Annotated[Path | None, typer.Option(help="the site file; else the one of the run's site")] = None,
    config: Annotated[str, typer.Option(help="the workflow's configuration as JSON, to be kept in run.json")] = "{}",
) -> None:
    """Write the report.

    Example: `python -m deeprc.applications.report forecasting=results/forecasting --events .deeprc/runs --out results`
    """
    known, folders = applications(), _folders(pipelines)
    try:
        settings = json.loads(config)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", where="--config", found=config[:80]) from None
    swept = {name for name, folder in folders.items() if _is_swept(name, folder, settings)}
    reports = {name: Swept(name) if name in swept else known[name].report() for name in folders}
    found = {name: read for name, part in reports.items() if (read := part.read(folders[name])) is not None}
    if not found:
        raise InputError(
            "nothing to report",
            where=out,
            expected="metrics.json in the folder of one pipeline at least",
            fix="run a pipeline first",
        )
    for name in folders.keys() - swept:
        refuse_mixed(known[name], folders[name])
        refuse_untold(known[name], folders[name], settings.get(name) if isinstance(settings, dict) else None)
    left_out: list[InputError] = []
    path = _events(events)
    # A run that was named must be readable; of a folder's runs one of another release keeps nobody from the report.
    one = path.is_file() or (path / "events.jsonl").is_file()
    runs = read_runs(path, None if one else left_out)
    for error in left_out:
        print(f"this run is left out: {error}", file=sys.stderr)
    tasks = latest(runs, [out, *(folder.parent for folder in folders.values())])
    data = [row for name, part in found.items() for row in data_files(name, part.check)]
    metrics = {name: part.metrics for name, part in found.items()}
    options = used(settings, metrics, {name: known[name].used for name in metrics if name not in swept})
    about = provenance(runs, tasks, data=data, config=options, site=site_file)
    about[KEY] = {name: told.get(KEY) for name, told in metrics.items()}
    about["left_out"] = [f"{error.where}: {error.problem}" for error in left_out]
    html = page.render(
        [reports[name].section(part, tasks) for name, part in found.items()],
        run=runs[-1] if runs else None,
        tasks=tasks,
        provenance=about,
        absent=[name for name in known if name not in found],
        left_out=about["left_out"],
        before=before(runs, path, out, about, found),
    )
    more = {f"{name}-{what}": table for name, part in found.items() for what, table in part.tables().items()}
    for name in tables.write(html, more, out / tables.FOLDER):
        print(f"{name}: above {tables.MOST:,} rows, not written as CSV; the files of predictions have them")
    write_json(out / "metrics.json", metrics)
    write_json(out / "run.json", about)
    write_text(out / "report.html", html)
    print(f"{out / 'report.html'}: {len(html) / 1e6:.1f} MB")


def _is_swept(name: str, folder: Path, settings: object) -> bool:
    """Whether a pipeline's folder is to be read as a sweep's: as the configuration says; without one, as it is."""
    asked = settings.get("sweep") if isinstance(settings, dict) else None
    return name in asked if asked is not None else (folder / SWEEP).is_file() and not (folder / METRICS).is_file()


def _folders(pairs: list[str]) -> dict[str, Path]:
    """The folder of each pipeline, in the order in which they were given."""
    found = {}
    for pair in pairs:
        name, _, folder = pair.partition("=")
        if name not in applications():
            raise absent(name)
        if not folder:
            raise ConfigError("a pipeline without a folder", found=pair, expected="NAME=FOLDER")
        found[name] = Path(folder)
    return found


def _events(path: Path | None) -> Path:
    if path is not None:
        return path
    if "DEEPRC_RUN" in os.environ:
        return Path(os.environ["DEEPRC_RUN"]).parent
    for folder in (Path(".deeprc"), runs := Path(".deeprc/runs")):
        require_private(folder.absolute(), fix="name a folder of events by --events")
    return runs


if __name__ == "__main__":
    run(main)
