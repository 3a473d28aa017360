"""Where Deep RC hooks into Snakemake: the only module here that touches its workflow object (tried with 9.27).

None of it is in Snakemake's stable interface; `onstart` would be, but it comes after the lock and the order of jobs,
is skipped by `--no-hooks`, and is not called where there is nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deeprc.applications.base.application import PREPARED
from deeprc.applications.config import Config
from deeprc.applications.registry import left_out
from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.insides import lacking
from deeprc.core.ownership import require_writable
from deeprc.images.catalog import Image
from deeprc.workflow import crates, guests, lock, preflight, preview
from deeprc.workflow.expected import outdated
from deeprc.workflow.rules import TRIAL

USED = {
    "snakemake.workflow:Workflow": "is_main_process execute _build_dag unlock delete_output execution_settings _onstart"
    " _onsuccess modifier touch dryrun rules dag persistence log_provenance_info included executor_settings config"
    " configfiles",
    "snakemake.dag:DAG": "forcefiles bfs _dependencies targetjobs needrun_jobs reason print_reasons",
    "snakemake.persistence:PersistenceBase": "lock metadata input_changed",
    "snakemake.jobs:Reason": "incomplete_output params_changed input_changed updated_input code_changed forced"
    " software_stack_changed",
    "snakemake.rules:Rule": "norun",
}


def attach(
    workflow: Any, config: Config, image: Image | None = None, holds: Callable[[], set[str] | None] = lambda: None,
    refused: Callable[[], Iterable[ConfigError]] = lambda: (), before: Iterable[Any] = (),
) -> None:  # fmt: skip
    """Let `workflow` run one at a time, check its data first, and remake what does not fit `config`.

    `image` is what its jobs run in, if they do: it must hold what they import. `holds` tells its packages,
    and `refused` what else keeps a run from beginning. `before` are the rules that were there before ours.
    """
    if not workflow.is_main_process:  # a job's own Snakemake
        return
    if gone := lacking(USED):
        there = version("snakemake")
        with plainly():
            raise DeepRCError(
                f"our workflows do not fit Snakemake {there}: {gone}", fix="pip install 'snakemake>=9.27,<10'"
            )
    for note in left_out():
        _say(note)
    with plainly():
        lacked = [*guests.lacking(image, config.applications(), holds)] if image else []
        lacked += [*guests.without_engine(config.engine, image, holds), *refused()]
    _Attached(workflow, config, lacked, {*workflow.rules}.difference(before), imaged=image is not None)


def require_whole(workflow: Any) -> list[Any]:
    """The rules that there are before ours; a ConfigError where a Snakefile takes single ones of ours: the pipelines
    come as a whole, and once.
    """
    if asked := getattr(workflow.modifier, "rule_whitelist", None):
        raise ConfigError(
            "single rules of Deep RC's workflow cannot be taken, or changed by `use rule … with`",
            found=", ".join(sorted(asked)),
            expected="`use rule * from … exclude all`, as `deeprc init` writes it",
            fix="options of a stage are keys of the configuration; another stage is a rule of your own",
        )
    return [*workflow.rules]


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """End Snakemake with one clear error where a DeepRCError is raised, without the lines of the Snakefile."""
    try:
        yield
    except DeepRCError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


class _Attached:
    """The workflow's own methods, with ours around them."""

    def __init__(self, workflow: Any, config: Config, lacked: list[ConfigError], ours: set, *, imaged: bool) -> None:
        self._lacking, self._imaged, self._ours, self._seen = lacked, imaged, ours, workflow.config
        self._workflow, self._config, self._outdated = workflow, config, {}
        self._looked = self._in_folder = False
        self._labels = {
            case.folder.name: case.label for each in config.applications() for case in config.cases(each) if case.label
        }
        self._held = contextlib.ExitStack()  # while a run goes on
        self._execute, self._build, self._unlock = workflow.execute, workflow._build_dag, workflow.unlock
        workflow.execute, workflow._build_dag, workflow.unlock = self.execute, self.build, self.unlock
        self._delete, workflow.delete_output = workflow.delete_output, self.delete

    def execute(self, *given: Any, **named: Any) -> object:
        """A run, a dry one (`-n`) or one that only touches."""
        from snakemake.exceptions import LockException

        kind, workflow = named["executor_plugin"].common_settings, self._workflow
        if kind.dryrun_exec:
            if not lock.SNAKEMAKE.exists():  # Snakemake makes it anyway
                with plainly():
                    require_writable(lock.SNAKEMAKE, fix=lock.ELSEWHERE)
            for error in self._lacking:
                _say(f"note: a run would be refused: {error}")
            for note in self._config.notes():
                _say(note)
            return self._execute(*given, **named)
        self._looked = kind.touch_exec
        with plainly(), contextlib.ExitStack() as self._held:
            for error in self._lacking:
                raise error
            for note in self._config.notes():
                _say(note)
            self._hold()
            if workflow.execution_settings.no_hooks:
                self._look()
            else:  # only after the executor, which refuses first what its site or its image cannot do
                started, succeeded = workflow._onstart, workflow._onsuccess
                workflow._onstart = lambda log: (self._config.check_storage(), self._look(), started(log))
                workflow._onsuccess = lambda log: (succeeded(log), self._tell_report())
            try:
                done = self._execute(*given, **named)
                self._look()  # where there was nothing else to do
                return done
            except LockException:
                raise lock.LockedError(
                    "Snakemake's lock is held, and nothing says by whom: another Snakemake of this folder, or the"
                    " remains of one",
                    where=Path(".snakemake/locks").absolute(),
                    fix="wait until it has ended; where none runs, the same command with `--unlock` removes the lock",
                ) from None

    def delete(self, *given: Any, dryrun: bool = False, **named: Any) -> None:
        """What `--delete-all-output` and `--delete-temp-output` do, refused while a run uses these results."""
        with plainly(), contextlib.ExitStack() as self._held:
            if not dryrun:
                self._hold()
            self._delete(*given, dryrun=dryrun, **named)

    def _look(self) -> None:
        """Fetch and check the data that the run needs, once."""
        if not self._looked:
            self._looked = True
            if not Path(self._config.results).exists():
                self._config.check_storage()
                Path(self._config.results).mkdir(parents=True, exist_ok=True)
            self._hold_folder()
            preflight.run(self._config, _say)

    def _tell_report(self) -> None:
        if not self._workflow.touch:
            if why := crates.write(self._workflow, self._config, self._seen, self._ours):
                _say(f"note: no RO-Crate was made of this run: {why}")
            _say(f"Report: {Path(self._config.results, 'report.html').absolute()}")

    @property
    def _locks(self) -> bool:
        settings = self._workflow.execution_settings  # none where nothing is executed
        return settings is None or settings.lock

    def _hold(self) -> None:
        if self._locks:
            self._held.enter_context(lock.hold(self._config.results, _say))
        self._hold_folder()

    def _hold_folder(self) -> None:
        """Lock the results folder itself too, as soon as it exists: another run may work from another folder."""
        results = self._config.results
        if self._locks and not self._in_folder and os.access(results, os.W_OK | os.X_OK):
            with contextlib.suppress(OSError):  # no space, no hard links: lack of space is reported later
                self._held.enter_context(lock.hold(results, _say, None))
                self._in_folder = True

    def build(self) -> None:
        """The jobs and their order, with those that make what does not fit."""
        workflow = self._workflow
        with plainly():
            self._outdated = outdated(self._config, imaged=self._imaged)
        workflow.dag.forcefiles.update(self._outdated)
        self._data_by_content()
        self._build()
        if workflow.dryrun:
            self._foretell()

    def _data_by_content(self) -> None:
        """Leave it to the records whether prepared data are of other files: Snakemake compares paths alone."""
        persistence, config = self._workflow.persistence, self._config
        asked = persistence.input_changed
        prepared = {str(case.prepared / PREPARED) for each in config.applications() for case in config.cases(each)}

        def changed(job: Any, file: Any = None) -> Any:
            ours = prepared.issuperset(map(str, job.output))
            return asked(job, file=file) if not ours else () if file is None else False

        persistence.input_changed = changed

    def unlock(self) -> None:
        """What `--unlock` does."""
        self._unlock()
        lock.release(self._config.results)

    def _foretell(self) -> None:
        from snakemake.logging import logger

        workflow = self._workflow
        with plainly():
            rows = [preview.Row(step.name, "", step.why) for steps in preflight.steps(self._config) for step in steps]
        order = {rule.name: number for number, rule in enumerate(workflow.rules)}
        dag = workflow.dag
        asked = set(dag.bfs(dag._dependencies, *dag.targetjobs))  # without what `--until` leaves out
        needed = sorted(
            asked.intersection(dag.needrun_jobs()), key=lambda job: (order[job.rule.name], sorted(map(str, job.output)))
        )
        rows += [
            preview.Row(job.rule.name, self._which(job.wildcards_dict), self._why(job))
            for job in needed
            if not job.rule.norun
        ]
        if rows:
            logger.info(preview.table(rows))
        if found := lock.holder(self._config.results):
            logger.info(f"note: a run is going on in these results: {lock.told(found)}")
        # We print the reasons ourselves: here we know which of Snakemake's hide others, and what its locks are worth.
        workflow.dag.print_reasons = workflow.log_provenance_info = lambda: None
        workflow.persistence.lock = contextlib.nullcontext

    def _which(self, wildcards: dict[str, str]) -> str:
        """Which one of the jobs of a rule."""
        return self._labels.get(wildcards.get(TRIAL, ""), wildcards.get("model", ""))

    def _why(self, job: Any) -> str:
        """Why a job would run, in plain words; nothing where it runs only because another one does."""
        reason, persistence = self._workflow.dag.reason(job), self._workflow.persistence
        told = [why for path in map(str, job.output) for why in self._outdated.get(path, [])]
        if told:
            return preview.joined(list(dict.fromkeys(told)))
        absent = [path for path in job.output if not Path(path).exists()]
        if absent:
            known = any(persistence.metadata(path) for path in absent)  # Snakemake keeps metadata of failed jobs too
            return "deleted, or failed when it last ran" if known else "not made yet"
        if reason.incomplete_output:
            return "was not finished"
        if reason.params_changed:
            other = [*reason.params_changed.only_old, *reason.params_changed.only_new]
            return "the image is another one" if any("sha256:" in text for text in other) else "other options"
        if reason.input_changed:
            return "made of other models"
        if reason.updated_input:
            return f"{preview.joined(sorted(map(str, reason.updated_input)))} is newer"
        named = {
            "its command is another one": reason.code_changed,
            "its software is another one": reason.software_stack_changed,
            "asked for": reason.forced,
        }
        return next((word for word, holds in named.items() if holds), "")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
