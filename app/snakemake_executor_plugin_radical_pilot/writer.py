"""Writes what the ranks of a job run: its command, and the script around it, in its container where it has one."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprc.core.errors import DeepRCError
from deeprc.launch import Plan
from deeprc.pilot import Pilot, fitness, inside
from deeprc.pilot.launch_scripts import rank_number, rank_setup, rank_words
from deeprc.pilot.worker import surroundings
from snakemake_executor_plugin_radical_pilot import direct
from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.runs import JobFiles, RunFolder
from snakemake_executor_plugin_radical_pilot.script import BACK, job_environment, job_text


@dataclass(frozen=True)
class Written:
    """What the ranks of a job run.

    Attributes
    ----------
    workdir
        The folder that they run it in.
    command
        The command of the launch line, for people.
    task
        What the pilot's task has of it.
    own
        What its rule runs, as its author wrote it.
    script
        What `command.sh` is to say, where it is for people alone: with the secrets masked.
    """

    workdir: Path
    command: list[str]
    task: dict[str, Any]
    own: str
    script: str = ""


@dataclass(frozen=True)
class Writer:
    """The scripts of a run's jobs.

    Attributes
    ----------
    declared
        The names of the variables that the workflow declares (`envvars:`).
    nested
        Gives the command that runs a job by a Snakemake of its own.
    mask
        Takes a text and gives it without secrets.
    """

    workflow: Any
    run: RunFolder
    declared: Sequence[str]
    nested: Callable[[Any], str]
    mask: Callable[[str], str]

    def write(self, job: Any, label: str, files: JobFiles, asked: Request, plan: Plan, pilot: Pilot) -> Written:
        """Write what the ranks run; one that is run directly was prepared before (`sparing.prepare`).

        A job of one rank without modules and container of its own needs no script: its worker runs the command.
        """
        own = files.folder / "command.sh"
        reason = direct.why_nested(job, self.workflow)
        if reason is None:
            text = direct.formatted(job)
            command, told = direct.command(job, text), direct.own_command(job, text)
            words, repeats, tmpdir = direct.words(job, command, own), direct.repeats(job), direct.tmpdir(job)
        elif asked.ranks > 1:
            raise DeepRCError(
                f"{label}: asks for {asked.ranks} ranks, but is run by a Snakemake of its own, since {reason}",
                fix="call it from a plain `shell:` rule, or leave out `tasks`",
            )
        else:
            command, repeats, tmpdir, told = self.nested(job), 1, None, direct.own_command(job)
            if direct.is_misread(job, command):
                raise DeepRCError(
                    f"{label}: is run by a Snakemake of its own, since {reason}, which would take it for another job",
                    found="a wildcard with a comma, a backslash, a line break, or a quote at its end",
                    fix="name its files without, or call it from a plain `shell:` rule",
                )
            words = ["/bin/bash", "-c", command]
            if "&&" not in (plain := shlex.split(command)):  # a shell around it would change variables
                words = [shutil.which(plain[0]) or plain[0], *plain[1:]]
        workdir = direct.workdir(job, self.workflow)
        runs = str(own) in words[-1]  # it is too long for an argument
        script = "" if runs else self.mask(command) + "\n"
        if runs:
            own.write_bytes(os.fsencode(command + "\n"))
            if self.mask(command) != command:
                self.run.private.add(own)
        memory_mb = -(-asked.memory_mb // asked.ranks)  # of each rank
        variables = job_environment(
            threads=asked.cores_per_rank, tmpdir=tmpdir, ranks=asked.ranks, run=self.run.path, spent=files.spent,
            memory_mb=memory_mb,
        )  # fmt: skip
        environment = str(self.run.private.environment)
        shown, there = [words[0], str(own)], {"RP_RANK": "0", **variables}
        task = {"argv": words, "workdir": str(workdir), "repeats": repeats, "environment": environment}
        if asked.ranks > 1 and asked.warm:  # as each of its ranks is a worker's
            there = {**({} if plan.runtime else plan.environment), **variables}
            chosen = {"chosen": self.declared} if plan.runtime else {}
            return Written(workdir, shown, {**task, "variables": there, **chosen}, told, script)
        if plan.runtime and asked.warm:  # its worker is in the image already, with the variables that get in
            return Written(workdir, shown, {**task, "variables": there, "chosen": self.declared}, told, script)
        if not (plan.runtime or plan.launcher or plan.modules or "$" in "".join(plan.environment.values())):
            return Written(workdir, shown, {**task, "variables": {**plan.environment, **there}}, told, script)
        command = rank_words(plan, words)
        if not plan.runtime:
            command = f"{BACK} {command}"
        elif inside.knows(pilot.allocation.site):
            command = inside.contained(
                pilot.allocation.site, plan, words, self._used(job, files), [*variables, *self.declared]
            )
        text = job_text(
            label=label,
            folder=files.folder,
            workdir=workdir,
            command=command,
            ranks=asked.ranks,
            repeats=repeats,
            variables=variables,
            rank=rank_number(pilot.allocation.site, pilot.allocation.partition) if asked.ranks > 1 else "0",
            setup=rank_setup(pilot.allocation.site, pilot.allocation.partition, plan, files.folder),
            memory_mb=memory_mb,
            needs=fitness.images(plan),
        )
        files.script.write_bytes(os.fsencode(text))
        if self.mask(text) != text:
            self.run.private.add(files.script)
        argv = ["/bin/bash", str(files.script)]
        if asked.ranks > 1:  # no worker starts them
            argv = [sys.executable, "-IS", surroundings.__file__, environment, *argv]
            argv = fitness.ranks(argv, files.folder, rank_number(pilot.allocation.site, pilot.allocation.partition))
        return Written(workdir, shown, {"argv": argv, "environment": environment}, told, script)

    def seen(self, job: Any, files: JobFiles, pilot: Pilot) -> bool:
        """Whether the pilot's workers in an image see all folders that the job uses."""
        sees = set(pilot.sees)
        return inside.knows(pilot.allocation.site) and all(
            {path, *path.parents} & sees for path in self._used(job, files)
        )

    def _used(self, job: Any, files: JobFiles) -> list[Path]:
        """The folders that a job's container must see."""
        places = [direct.workdir(job, self.workflow), files.folder, self.run.path, direct.tmpdir(job) or "."]
        return inside.folders([*places, *job.input, *job.output, *job.log])
