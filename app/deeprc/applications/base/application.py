"""What an application is to the workflow, the report and the images: one object, which its package offers.

It is read by Snakemake at every start: a module that defines one imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from deeprc.core.contents import named
from deeprc.core.fingerprint import Record, inferred, of_model, part_of
from deeprc.core.needs import Need

if TYPE_CHECKING:  # the report's libraries are heavy
    from deeprc.reporting.events import Execution
    from deeprc.reporting.section import Results, Section

CHECK, PREPARED, METRICS = "check.json", "prepared", "metrics.json"


class Report(Protocol):
    """How the report presents an application: a module or an object."""

    def read(self, folder: Path) -> Results | None:
        """What the pipeline left in `folder`; None where there is nothing to tell."""

    def section(self, found: Any, tasks: list[Execution]) -> Section:
        """The section on what `read` gave; `tasks` are the latest executions of all stages."""


class Application:
    """A pipeline from data to metrics, and how the report presents it.

    Its stages are modules of its package, `python -m <package>.<stage>`. Two are started for it, with `--config JSON
    --out PATH` and what `given` says: `check`, if there is one, before any job, and `prepare` on `ranks` MPI ranks
    (a key of its options; one, without it). Its rules start the others.

    Attributes
    ----------
    name
        The key of its options, the word in `pipelines`, and the folder of its results.
    configuration
        The model of its options; all have defaults.
    preparation, training
        The models of those of its options that the prepared data depend on, and of those that what is trained depends
        on beside them; not needed where `preparing` and `trained` are its own.
    untold
        Those of its options that change no result, or whose values `preparing` and `trained` have under other names;
        what is in none of them counts from the predictions on (`inferring`).
    rules
        Its file of Snakemake rules, from the prepared data on; `rules/<name>.smk` of the workflow, if there is none.
    stages
        Its stages.
    needs
        What its stages want beside Deep RC itself, by extras of its distribution.
    optional
        Packages that its evaluation uses where they are installed: where one comes, goes or changes, metrics are made
        anew, and nothing before them (`installed` of their record: `deeprc.core.code.versions` of these).
    goal
        The figure of a trial (`figures`) that a sweep is ranked by, and which is better; none, if it cannot be swept.
        It is of data that are held out for such choices: what is chosen by the test part is not tested by it any more.
    repeats
        The key whose values repeat a trial: the seed of all its chance.
    """

    name: str
    configuration: type[BaseModel]
    preparation: type[BaseModel]
    training: type[BaseModel]
    untold: tuple[str, ...] = ("path", "ranks", "threads")  # of data it is their content that counts
    rules: Path | None = None
    needs: tuple[Need, ...] = ()
    optional: tuple[str, ...] = ()
    stages: tuple[str, ...] = ("check", "prepare", "train", "predict", "evaluate")
    goal: tuple[str, Literal["lower", "higher"]] | None = None
    repeats: str = "seed"

    @property
    def package(self) -> str:
        """The package that its stages are in: that of the module in which its class stands."""
        return type(self).__module__.rpartition(".")[0]

    def own(self, options: BaseModel) -> list[str]:
        """The files and folders of the user's own data (key `path`); empty where public data are fetched."""
        return [path] if (path := getattr(options, "path", None)) else []

    def beside(self, options: BaseModel) -> dict[str, str]:
        """The files that options name beside these, by key."""
        return {}

    def public(self, options: BaseModel) -> list[str]:
        """The public data sets (`deeprc.core.datasets`) that are fetched where the user has none of their own."""
        return []

    def subject(self, options: BaseModel) -> str:
        """What the data are called in a sentence."""
        return f"{self.name} data"

    def files(self, options: BaseModel, paths: list[str]) -> dict[str, Path]:
        """The files that are read of the data at `paths`, by name."""
        return named(paths)

    def given(self, paths: list[str]) -> list[str]:
        """How the stages check and prepare are told where the data are."""
        return ["--data", *paths]

    def preparing(self, options: BaseModel) -> dict:
        """The options that the prepared data depend on: the `--config` of check and prepare."""
        return options.model_dump(mode="json", include=set(self.preparation.model_fields))

    def trained(self, options: BaseModel) -> dict:
        """The options that what is trained depends on, beside those."""
        return options.model_dump(mode="json", include=set(self.training.model_fields))

    def refuse(self, options: BaseModel, checked: dict) -> None:
        """Raise a DeepRCError where later stages would refuse what the check found; `checked` is what it wrote.

        Asked at every start, before anything queues: the check itself, which knows the data's options alone, is not
        made again where another network is asked for.
        """

    def inferring(self, options: BaseModel) -> dict:
        """The options that only later stages take: all that are told nowhere else, unless they are `untold`."""
        told = {*self.preparing(options), *self.trained(options), *self.untold}
        return options.model_dump(mode="json", exclude=told)

    def told(self, options: BaseModel) -> Record:
        """What the record of the metrics has of the options."""
        return inferred({"prepare": self.preparing(options), "train": self.trained(options)}, self.inferring(options))

    def products(self, folder: Path, record: Record) -> dict[Path, Record | None]:
        """What the pipeline leaves in `folder`, with the record of what each was made from.

        `record` is that of the metrics. CHECK, PREPARED and METRICS are among them; all others are targets as well.
        """
        before, model = part_of(record), of_model(record)
        used = {key: value for key, value in record.items() if key != "installed"}
        made = {CHECK: before, PREPARED: before, "model": model, "predictions.arrow": used, METRICS: record}
        return {folder / name: of for name, of in made.items()}

    def used(self, training: dict) -> dict:
        """What `training` told, as the configuration has it."""
        return training

    def axes(self, options: BaseModel) -> dict[str, list]:
        """What a sweep tries of these options even where it does not say so: what a trial has one of."""
        return {}

    def cost(self, options: BaseModel) -> float:
        """What a training with these options costs, beside others."""
        return 1.0

    def measure(self, options: BaseModel) -> str:
        """What the figure of `goal` is measured by: trials of a sweep that differ in it cannot be ranked."""
        return ""

    def figures(self, folder: Path) -> dict[str, float | None]:
        """The figures of what a trial has left in `folder`, that of `goal` among them; None where one is not known."""
        raise NotImplementedError  # asked only of those that give `goal`: no others are swept

    def halved(self, folder: Path) -> int | None:
        """The step after which a halving ended the trial in `folder`; None where it was trained to its end."""
        return None

    def benches(self) -> dict[str, Callable]:
        """What it offers to `deeprc bench`: commands of typer, by name. Their modules import nothing heavy."""
        return {}

    def report(self) -> Report:
        """Its section of the report; a plain one with the figures of its metrics, if it has none of its own."""
        from deeprc.applications.base.plain import Plain

        return Plain(self.name)
