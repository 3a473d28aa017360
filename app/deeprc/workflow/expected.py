"""What configuration, data and code say now: the data's files, and the record that the metrics must have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deeprc.applications.base.application import CHECK, METRICS, Application
from deeprc.applications.base.products import stale
from deeprc.applications.base.sweep.trials import TABLE, together
from deeprc.applications.base.trial import Trial
from deeprc.applications.config import Config
from deeprc.core import code
from deeprc.core.contents import Contents
from deeprc.core.datasets import DATASETS
from deeprc.core.errors import ConfigError
from deeprc.core.fingerprint import KEY, Record, differences, read, without_code


@dataclass(frozen=True)
class Data:
    """The data of one pipeline.

    Attributes
    ----------
    own
        The user's files and folders; empty where public data are fetched.
    beside
        Files that options name beside them.
    fetched
        Name of a public data set to the file that it is fetched to; empty where the data are the user's own.
    """

    own: list[str]
    beside: list[str]
    fetched: dict[str, Path]

    @property
    def inputs(self) -> list[str]:
        """What is there before the workflow, and read by its jobs."""
        return [*self.own, *self.beside]

    @property
    def paths(self) -> list[str]:
        """What the stages are given."""
        return self.own or [str(path) for path in self.fetched.values()]


def data_of(config: Config, application: Application) -> Data:
    """The data of a pipeline, as the configuration names them."""
    options = config.options(application)
    if own := application.own(options):
        return Data(own, list(application.beside(options).values()), {})
    names = application.public(options)
    return Data([], [], {name: Path(config.results) / "data" / f"{name}.csv" for name in names})


def expected(config: Config) -> dict[str, Record]:
    """The record that the metrics of each pipeline, or the table of its sweep, must have."""
    return {application.name: _told(config, application) for application in config.applications()}


def record(case: Trial, common: Record) -> Record:
    """The record that the metrics of a case must have; `common` is of its pipeline's data, code and packages."""
    there = {key: common[key] for key in ("code", "installed") if key in common}
    return {"data": common["data"], **case.application.told(case.options), **there}


def outdated(config: Config, *, imaged: bool = False) -> dict[str, list[str]]:
    """The products in the results folder that do not fit the configuration, the data or the code, with the reasons.

    Of stages that run in an image (`imaged`) code and packages are the image's, whose digest Snakemake compares.
    """
    records, results = expected(config), Path(config.results)
    if imaged:
        records = {name: without_code(told) for name, told in records.items()}
    found: dict[Path, list[str]] = {}
    for application in config.applications():
        whole = records[application.name]
        for case in config.cases(application):
            found |= stale(case, record(case, whole))
            found.pop(case.prepared / CHECK, None)  # looked at before anything runs: `preflight`
        if config.swept(application):
            for table in (told := config.told(application), told.with_name(TABLE)):
                if told.exists() and table.exists() and (reasons := list(differences(read(told), whole))):
                    found[table] = reasons
    for report in (results / "report.html", results / "run.json"):
        if report.exists() and (reasons := [f"{name}: {why}" for name, why in _by_pipeline(read(report), records)]):
            found[report] = reasons
    if (report := results / "metrics.json").exists():
        told = {name: (part or {}).get(KEY) for name, part in _json(report).items() if isinstance(part, dict | None)}
        if reasons := [f"{name}: {why}" for name, why in _by_pipeline(told, records)]:
            found[report] = reasons
    return {str(path): reasons for path, reasons in found.items()}


def targets(config: Config, application: Application) -> list[str]:
    """What the pipeline is to leave: every product but the prepared data, so that a deleted one is made again.

    Raises
    ------
    ConfigError
        Where the metrics, which the report is made of, are not among its products.
    """
    made = [path for case in config.cases(application) for path in case.own]
    for case in config.cases(application):
        if case.folder / METRICS not in made:
            raise ConfigError(
                f"the application '{application.name}' leaves no metrics: the report is made of them",
                where=f"{application.package}: products",
                found=", ".join(path.name for path in made) or "nothing",
                expected=f"{METRICS} among them",
            )
    table = [told := config.told(application), told.with_name(TABLE)] if config.swept(application) else []
    return [str(path) for path in [*made, *table]]


def _by_pipeline(told: dict | None, records: dict[str, Record]) -> list[tuple[str, str]]:
    told = told or {}
    pairs = [(name, why) for name, record in records.items() for why in differences(told.get(name), record)]
    return pairs + [(name, "is no longer asked for") for name in told if name not in records]


def _told(config: Config, application: Application) -> Record:
    common, cases = _common(config, application), config.cases(application)
    return together(common, cases) if config.swept(application) else record(cases[0], common)


def _common(config: Config, application: Application) -> Record:
    """What a pipeline's data, code and installed packages are."""
    options, data = config.options(application), data_of(config, application)
    files = application.files(options, data.paths)
    # Public data that are not here yet will be what was pinned.
    pinned = {path.name: DATASETS[name].sha256 for name, path in data.fetched.items() if not path.exists()}
    installed = {"installed": code.versions(application.optional)} if application.optional else {}
    sums = Contents().of({name: path for name, path in files.items() if name not in pinned})
    return {"data": {**sums, **pinned}, "code": code.of(application.package), **installed}


def _json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
