"""What rules are made of. Parameters are functions: in a text Snakemake would take what is in braces for wildcards."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from deeprc.applications.base.application import Application
from deeprc.applications.base.sweep.trials import FOLDER
from deeprc.applications.config import Config
from deeprc.workflow.trainings import Trainings

TRIAL, GROUP = "sweep_trial", "sweep_group"  # wildcards: folders of trials, and of the data that they share


def as_json(given: object) -> str:
    """Options as they were given: a day, which YAML makes of 2001-10-01, as a text."""
    return json.dumps(given, ensure_ascii=False, default=str)


def fixed(value: object) -> Callable:
    """The parameter `value`: with another one, what was made is made anew."""
    return lambda wildcards: value


def untold(value: object) -> Callable:
    """The parameter `value`, which is no reason to make anything anew: Snakemake compares none that see the input."""
    return lambda wildcards, input: value


def warm(ranks: int, modules: str) -> str:
    """What is imported once per core, not once per job; several ranks start by themselves."""
    return modules if ranks == 1 else ""


def into(ranks: int, log: str) -> str:
    """Where a stage writes what it says; what several ranks say is joined by the executor."""
    return f"&> {shlex.quote(log)}" if ranks == 1 else ""


class Places:
    """Where the rules of an application find and leave things: in one folder, or in one for each trial of a sweep.

    Attributes
    ----------
    folder, prepared
        The folder of products, and the one that the prepared data are in: patterns with the wildcards of trials.
    log, prepare_log
        How the names of logs begin.
    engine
        Goes before the command of prepare: what its frames are made by.
    """

    def __init__(self, config: Config, application: Application, trainings: Trainings | None = None) -> None:
        self.application, self.sweep = application, config.swept(application)
        self._trainings = trainings or Trainings(config)
        self.engine = "" if config.engine == "arrow" else f"DEEPRC_FRAMES_ENGINE={config.engine} "
        self.prepared = self.folder = f"{config.results}/{application.name}"
        self.log = self.prepare_log = f"{config.results}/logs/{application.name}"
        cases = config.cases(application)
        self._cases = {case.folder.name: case for case in cases}
        self._groups = {case.prepared.name: case for case in cases}
        if self.sweep:
            self.prepared = f"{self.folder}/{FOLDER}/{{{GROUP}}}"
            self.folder = f"{self.prepared}/{{{TRIAL}}}"
            self.prepare_log = f"{self.log}-{{{GROUP}}}"
            self.log = f"{self.log}-{{{GROUP}}}-{{{TRIAL}}}"

    def options(self, wildcards: Any) -> BaseModel:
        """The options of a job."""
        return self._cases[wildcards[TRIAL] if self.sweep else self.application.name].options

    def preparing(self, wildcards: Any) -> str:
        """The `--config` of prepare."""
        options = self._groups[wildcards[GROUP] if self.sweep else self.application.name].options
        return json.dumps(self.application.preparing(options), ensure_ascii=False)

    def ranks(self, wildcards: Any) -> int:
        """The ranks of train and predict."""
        return self.options(wildcards).training.ranks

    def gpus(self, wildcards: Any) -> int:
        """The accelerators of each of these ranks."""
        return self._trainings.gpus(self.application, self.options(wildcards).training)

    def comm(self, wildcards: Any) -> str:
        """What the ranks of train talk through (`deeprc plan --comm`)."""
        return self._trainings.comm(self.application, self.options(wildcards).training)

    def device(self, wildcards: Any, input: Any) -> str:
        """What they compute on, which is no reason to make anything anew."""
        return self._trainings.device(self.application, self.options(wildcards).training)

    def how(self) -> Callable:
        """The `--how` of train, which is no reason to make anything anew; what is wrong in any is told at once."""
        made = {}
        for name, case in self._cases.items():
            training = case.options.training
            made[name] = training.how(self._trainings.device(self.application, training))
        return lambda wildcards, input: made[wildcards[TRIAL] if self.sweep else self.application.name]

    def warm(self, modules: str) -> Callable:
        """What is imported once per core."""
        return lambda wildcards: warm(self.ranks(wildcards), modules)

    def filled(self, pattern: str) -> Callable:
        """A pattern with a job's wildcards in it, which is no reason to make anything anew."""
        return lambda wildcards, input: pattern.format(**dict(wildcards.items()))

    def into(self, pattern: str) -> Callable:
        """Where a job writes what it says (`into`)."""
        return lambda wildcards, input: into(self.ranks(wildcards), pattern.format(**dict(wildcards.items())))

    def study(self, wildcards: Any, input: Any) -> str:
        """What train is told of the file in which trials of a halving tell each other their losses."""
        if not (self.sweep and self.sweep.halving):
            return ""
        return f"--study {shlex.quote(self.prepared.format(**dict(wildcards.items())) + '/halving.journal')}"

    def called(self, wildcards: Any, input: Any) -> str:
        """What a job is of: the trial, else the model, if there are several."""
        return self._cases[wildcards[TRIAL]].label if self.sweep else dict(wildcards.items()).get("model", "")

    def of(self, wildcards: Any, input: Any) -> str:
        """For a message that names no model: the trial, in a sweep."""
        return f": {self.called(wildcards, input)}" if self.sweep else ""
