"""The workflow's configuration: read before anything runs, so that a mistake costs nothing."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, create_model, field_validator

from deeprc.applications.base.application import METRICS, Application
from deeprc.applications.base.sweep.config import Sweep
from deeprc.applications.base.sweep.trials import HALVING, SWEEP, halving_of, trials
from deeprc.applications.base.trial import Trial
from deeprc.applications.registry import TAKEN, absent, applications, broken
from deeprc.core.errors import ConfigError
from deeprc.core.files import StorageError, free_megabytes
from deeprc.core.settings import Settings
from deeprc.core.validation import validate

BRACES = "{}"  # wildcards to Snakemake, in any name of a file, with no way to escape them


class Config(Settings):
    """What the workflow does; `config_model` adds a key for the options of each application."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    results: str = Field("results", min_length=1)
    """The folder that everything is written to."""
    min_free_mb: int = Field(500, ge=0)
    """Free space, MB, that the file system of `results` must have before a run starts."""
    pipelines: list[str]
    """The pipelines to run: one, or a list."""
    engine: Literal["arrow", "cylon"] = "arrow"
    """By what prepare joins, sorts and groups: ours, or Cylon where pycylon is installed (docs/frames.md)."""
    sweep: dict[str, Sweep] = Field({})
    """By pipeline: trainings with other options, to be ranked, instead of the one (docs/sweeps.md)."""

    _cases: dict[str, list[Trial]] = PrivateAttr(default_factory=dict)
    _given: dict[str, dict] = PrivateAttr(default_factory=dict)

    @field_validator("pipelines", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("pipelines")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        if len({*value}) < len(value):
            raise ValueError("a pipeline stands twice: name each once")
        return value

    @field_validator("results")
    @classmethod
    def _one_name_for_one_folder(cls, value: str) -> str:
        if set(BRACES) & set(value):
            raise ValueError("no braces in this folder's name: Snakemake takes what is in them for wildcards")
        # Snakemake compares the names of files as text; two slashes at the start are kept by normpath, and mean one.
        path = re.sub("^//", "/", os.path.normpath(Path(value).expanduser()))
        if path == "/":
            raise ValueError("the root of the file system: name a folder below it")
        return path

    def existing_folder(self) -> Path:
        """The results folder, or the nearest parent that exists; a StorageError where that is a file."""
        folder = Path(self.results).absolute()
        existing = next(path for path in [folder, *folder.parents] if path.exists())
        if not existing.is_dir():
            raise StorageError("is a file, where the results folder or a parent of it should be", where=existing)
        return existing

    def applications(self) -> list[Application]:
        """Those whose pipelines run."""
        return [applications()[name] for name in self.pipelines]

    def options(self, application: Application) -> BaseModel:
        """The options of one."""
        return getattr(self, application.name)

    def cases(self, application: Application) -> list[Trial]:
        """What is done of one: its pipeline, or all trials of its sweep."""
        name, folder = application.name, Path(self.results) / application.name
        return self._cases.get(name) or [Trial(application, self.options(application), folder, folder)]

    def given(self, application: Application) -> dict:
        """The options of a swept one as they were given."""
        return self._given[application.name]

    def swept(self, application: Application) -> Sweep | None:
        """The sweep of one, if it has one."""
        return self.sweep.get(application.name)

    def told(self, application: Application) -> Path:
        """The file in which one ends: its metrics, or the table of its sweep."""
        return Path(self.results) / application.name / (SWEEP if self.swept(application) else METRICS)

    def notes(self) -> list[str]:
        """How many trainings the sweeps are."""
        counts = {name: len(cases) for name, cases in self._cases.items() if name in self.pipelines}
        return [f"sweep of {name}: {count} trainings" for name, count in counts.items()]

    def check_data(self) -> None:
        """Raise a ConfigError where the own data of a pipeline are not there, or Snakemake cannot name them."""
        for application in self.applications():
            pipeline, options = application.name, self.options(application)
            named = [("path", path) for path in application.own(options)]
            for key, path in [*named, *application.beside(options).items()]:
                if not Path(path).exists():
                    raise ConfigError(f"key '{pipeline}.{key}': no such file or folder", found=path)
                if set(BRACES) & set(path):
                    raise ConfigError(
                        f"key '{pipeline}.{key}': Snakemake takes what is in braces for wildcards",
                        found=path,
                        fix="rename the file or folder, or name a link to it",
                    )

            if self.swept(application):
                self._refuse_other_files(application)

    def _refuse_other_files(self, application: Application) -> None:
        """Raise a ConfigError for trials that read other files than the pipeline's: one record tells of all."""
        usual, pipeline = self.options(application), application.name
        own = application.own(usual)
        files, beside = application.files(usual, own), application.beside(usual)
        for case in {case.prepared: case for case in self.cases(application)}.values():
            if application.beside(case.options) == beside and application.files(case.options, own) == files:
                continue
            raise ConfigError(
                f"key 'sweep.{pipeline}.over': a trial reads other files than '{pipeline}' by itself",
                found=case.label,
                expected="trials on the same files",
                fix="give what chooses files outside of `over`: a run for each, with `results` of its own",
            )

    def check_storage(self) -> None:
        """Raise a StorageError where the results folder cannot be written or has too little space."""
        folder, existing = Path(self.results).absolute(), self.existing_folder()
        if not os.access(existing, os.W_OK | os.X_OK):
            raise StorageError(
                "the results folder cannot be written",
                where=folder,
                fix="make it writable, or choose another one with `--config results=FOLDER`",
            )
        if (free := free_megabytes(existing)) < self.min_free_mb:
            raise StorageError(
                "too little space in the results folder",
                where=folder,
                found=f"{free} MB free",
                expected=f"{self.min_free_mb} MB (key 'min_free_mb')",
                fix="free some space, or choose another folder with `--config results=FOLDER`",
            )


@cache
def config_model() -> type[Config]:
    """The model of the whole configuration, with a key for each application that is installed."""
    found = applications()
    each = {
        name: (made.configuration, Field(made.configuration(), description=f"The options of the {name} pipeline."))
        for name, made in found.items()
    }
    sweep = Field({}, description=Config.model_fields["sweep"].description)
    pipelines = Field([*found], min_length=1, description=Config.model_fields["pipelines"].description)
    return create_model(
        "Config",
        __base__=Config,
        __doc__="What the workflow does.",
        pipelines=(list[Literal[*found]], pipelines),
        sweep=(dict[Literal[*found], Sweep], sweep),
        **each,
    )


def load_config(values: dict, *, where: object = "configuration") -> Config:
    """The configuration in `values` (Snakemake's merged `config`), or a ConfigError for what is wrong in it."""
    model = config_model()
    names = values.get("pipelines") if isinstance(values, dict) else None
    for number, name in enumerate(names if isinstance(names, list) else [names]):
        if isinstance(name, str) and name not in applications():
            raise absent(name, where=where(("pipelines", number)) if callable(where) else where)
    for name in broken().keys() & (values.keys() if isinstance(values, dict) else ()) - {*TAKEN}:
        raise broken()[name]  # its options can be read by itself alone
    made = validate(model, values, where=where)
    for name in made.pipelines:
        if halving_of(getattr(made, name)):
            raise ConfigError(
                f"key '{name}.{HALVING}': it is for the trials of a sweep",
                where=where((name, *HALVING.split("."))) if callable(where) else where,
                fix=f"give sweep.{name}.halving, or leave it out",
            )
    for name, sweep in made.sweep.items():
        if name not in made.pipelines:
            raise _of_no_pipeline(name, made, where)
        made._given[name] = values.get(name) or {}
        folder = Path(made.results) / name
        made._cases[name] = trials(applications()[name], made._given[name], sweep, folder, where)
    return made


def _of_no_pipeline(name: str, config: Config, where: object) -> ConfigError:
    return ConfigError(
        f"key 'sweep.{name}': this pipeline does not run",
        where=where(("sweep", name)) if callable(where) else where,
        found=f"pipelines {', '.join(config.pipelines)}",
        fix=f"name {name} by the key 'pipelines' too, or leave its sweep out",
    )


def schema() -> dict:
    """The JSON Schema of the configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **config_model().model_json_schema()}


if __name__ == "__main__":  # python -m deeprc.applications.config > workflows/schemas/config.schema.json
    print(json.dumps(schema(), indent=1))
