"""Before anything is asked for: public data are fetched and all data are checked, here, in this environment.

Not rules: a mistake in the data of any pipeline must be told before a pilot queues for another one, must leave what
earlier runs made (and what Snakemake remembers of it) as it is, and must not come into the order of jobs. What was
checked stays so until the data or the options of the preparation change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deeprc.applications.base.application import CHECK, Application
from deeprc.applications.config import Config
from deeprc.core.errors import DeepRCError
from deeprc.core.files import read_json, tail
from deeprc.core.fingerprint import differences, part_of, read
from deeprc.workflow.expected import data_of, expected, record

AT_ONCE = 4  # checks, each with the data in memory: a sweep may have many, on a login node


@dataclass(frozen=True)
class Preparation:
    """One thing to do before the jobs: `name` as a rule's, `label` as a person says it, and why it is to be done."""

    name: str
    label: str
    why: str
    argv: list[str]
    log: Path


class PreflightError(DeepRCError):
    """Data that could not be fetched, or that cannot be used."""


def steps(config: Config) -> tuple[list[Preparation], list[Preparation]]:
    """What must be fetched, and what must be checked after that."""
    results = Path(config.results)
    logs, fetches, checks = results / "logs", [], []
    for application, told in zip(config.applications(), expected(config).values(), strict=True):
        data = data_of(config, application)
        for name, path in data.fetched.items():
            if not path.exists():
                argv = [sys.executable, "-P", "-m", "deeprc.core.datasets", name, "--out", str(path)]
                fetches.append(
                    Preparation(
                        f"fetch_{name}", f"fetch the {name} data", "not here yet", argv, logs / f"fetch_{name}.log"
                    )
                )
        cases = {case.prepared: case for case in config.cases(application)}  # several may share prepared data
        for folder, case in cases.items() if "check" in application.stages else ():
            out = folder / CHECK
            reasons = list(differences(read(out), part_of(record(case, told))))
            if not reasons:
                continue
            why = "; ".join(reasons) if out.exists() else "never checked"
            argv = [sys.executable, "-P", "-m", f"{application.package}.check"]
            argv += ["--config", json.dumps(application.preparing(case.options)), "--out", str(out)]
            argv += application.given(data.paths)
            name, label = f"{application.name}_check", f"check the {application.subject(case.options)}"
            log = name if len(cases) == 1 else f"{application.name}-{folder.name}_check"
            checks.append(Preparation(name, label, why, argv, logs / f"{log}.log"))
    return fetches, checks


def run(config: Config, say: Callable[[str], None]) -> None:
    """Do all of it; every check is made, whatever the others find.

    Raises
    ------
    PreflightError
        With the last words of whatever failed, and where its log is.
    """
    for together in steps(config):
        if not together:
            continue
        config.check_storage()
        with ThreadPoolExecutor(min(len(together), AT_ONCE)) as threads:
            failures = [said for said in threads.map(lambda step: _do(step, say), together) if said]
        _refuse(failures)
    _refuse([said for application in config.applications() for said in _refused(config, application)])


def _refuse(failures: list[str]) -> None:
    if failures:
        raise PreflightError("\n".join(["nothing was started, and earlier results are as they were", *failures]))


def _refused(config: Config, application: Application) -> list[str]:
    """What later stages would refuse of the data that were checked, now or before; each thing once."""
    found: dict[str, None] = {}
    for case in config.cases(application) if "check" in application.stages else ():
        if not (checked := case.prepared / CHECK).is_file():
            continue
        try:
            application.refuse(case.options, read_json(checked))
        except DeepRCError as error:
            lines = (f"  | {line}" for line in str(error).splitlines())
            found["\n".join([f"REFUSED: the {application.subject(case.options)}", *lines])] = None
    return [*found]


def _do(step: Preparation, say: Callable[[str], None]) -> str | None:
    step.log.parent.mkdir(parents=True, exist_ok=True)
    with step.log.open("wb") as handle:
        done = subprocess.run(step.argv, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT)
    words = tail(step.log)
    if done.returncode:
        head = f"FAILED: {step.label} (exit code {done.returncode})"
        return "\n".join([head, *(f"  | {line}" for line in words), f"  log: {step.log}"])
    say(f"{step.label}: {words[-1] if words else 'done'}")
    for note in (line for line in words if line.startswith("note: ")):
        say(f"  {note}")
    return None
