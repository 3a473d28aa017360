"""The jobs of a run: a tool and a step for each rule, and two actions for each job."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from deeprc.core.events import RunImage
from deeprc.core.masking import masked_words
from deeprc.reporting.crate.inputs import Input
from deeprc.reporting.events import Execution
from deeprc.reporting.provenance import image

if TYPE_CHECKING:
    from deeprc.reporting.crate.made import Crate

Reference = dict[str, str]


def moment(seconds: float) -> str:
    """A time as RO-Crates write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


class Jobs:
    """Adds jobs to a crate; `tools`, `steps`, `controls` and `actions` are references to what was added."""

    def __init__(
        self, crate: Crate, tasks: Iterable[Execution], read: list[Input], packages: list[Reference],
        own: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._crate, self._root, self._own = crate, Path(os.path.abspath(crate.folder)), own  # noqa: PTH100
        self.tools, self.steps, self.controls, self.actions = [], [], [], []
        self._known = {
            os.path.abspath(each.path): {"@id": quote(each.id(crate.folder), safe="/:;")}  # noqa: PTH100
            for each in read
            if each.path
        }
        tasks = list(tasks)
        results = [[found for output in task.output if (found := self._output(output))] for task in tasks]
        for task, made in zip(tasks, results, strict=True):
            self._add(task, made, packages)

    def _output(self, name: str) -> Reference | None:
        """What a job made, where it is in the results still."""
        path = Path(os.path.abspath(name))  # noqa: PTH100
        if path == self._root or not path.is_relative_to(self._root):
            return None
        found = self._crate.file(path.relative_to(self._root).as_posix())
        if found:
            self._known[str(path)] = found
        return found

    def _add(self, task: Execution, made: list[Reference], packages: list[Reference]) -> None:
        rule, key = quote(task.rule), f"{quote(str(task.run))}-{quote(str(task.job))}"
        within = {"@id": quote(self._own[task.rule])} if task.rule in self._own else None
        tool = self._crate.add(f"#rule-{rule}", "SoftwareApplication", name=task.rule, softwareRequirements=packages,
                               isPartOf=within)  # fmt: skip
        if tool not in self.tools:
            self.tools.append(tool)
            self.steps.append(self._crate.add(
                f"#step-{rule}", "HowToStep", name=task.rule, position=str(len(self.tools)), workExample=tool
            ))  # fmt: skip
        launch = self._crate.value(f"#launch-{key}", "launch line", shlex.join(masked_words(task.argv)))
        command = self._crate.value(f"#command-{key}", "command", task.command) if task.command else None
        wildcards = [
            self._crate.value(f"#wildcard-{key}-{quote(name)}", name, value) for name, value in task.wildcards.items()
        ]
        ran_in = image(task)
        action = self._crate.add(
            f"#job-{key}", "CreateAction", name=task.label, instrument=tool, startTime=moment(task.start),
            endTime=moment(task.stop), result=made,
            object=[*self._named(task, made), *filter(None, [command]), launch, *wildcards],
            actionStatus={"@id": f"http://schema.org/{'Failed' if task.failed else 'Completed'}ActionStatus"},
            containerImage=ran_in and self._image(ran_in), resourceUsage=self._usage(task, key),
        )  # fmt: skip
        self.actions.append(action)
        self.controls.append(self._crate.add(
            f"#control-{key}", "ControlAction", name=f"start: {task.label}", object=action,
            instrument={"@id": f"#step-{rule}"}, startTime=moment(task.submit), endTime=moment(task.noticed),
        ))  # fmt: skip

    def _named(self, task: Execution, made: list[Reference]) -> list[Reference]:
        """The inputs and the products of others that a command names: events tell outputs alone."""
        try:
            words = shlex.split(task.command)
        except ValueError:
            return []
        paths = [word.rpartition("=")[2] for word in words]
        found = [self._known.get(os.path.abspath(path)) for path in paths if path]  # noqa: PTH100
        ids = dict.fromkeys(each["@id"] for each in found if each)
        return [{"@id": each} for each in ids if {"@id": each} not in made]

    def _image(self, within: RunImage) -> Reference:
        digest = (within.digest or "").removeprefix("sha256:")
        source = within.source if within.source not in (None, "built") else None
        return self._crate.add(
            f"#image-{quote(within.variant)}-{digest[:12]}", "ContainerImage", name=within.variant, sha256=digest,
            additionalType={"@id": "https://w3id.org/ro/terms/workflow-run#SIFImage"}, registry=source,
        )  # fmt: skip

    def _usage(self, task: Execution, key: str) -> list[Reference]:
        figures = {
            "ranks": (task.ranks, None), "cores": (len(task.cores) or None, None), "gpus": (task.gpus or None, None),
            "cpu_seconds": (task.cpu_seconds, "s"), "peak_mb": (task.peak_mb, "MB"),
        }  # fmt: skip
        return [
            self._crate.value(f"#usage-{key}-{name}", name, value, propertyID=f"deeprc:{name}", unitText=unit)
            for name, (value, unit) in figures.items()
            if value is not None
        ]
