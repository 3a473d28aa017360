"""What is written down of a job: its lines in the events file, and what a person is shown when it fails."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from deeprc.core import events, spent
from deeprc.core.events import JobEvent, RunImage
from deeprc.core.files import free_megabytes, telling
from deeprc.pilot import Outcome, ended
from deeprc.pilot.launch_scripts import filled
from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.runs import JobFiles


@dataclass(frozen=True)
class Stage:
    """A job, as far as people are concerned; `attempts` is how often it may be tried, `jobs` how many a group holds."""

    job: int | str
    rule: str
    wildcards: dict[str, str]
    label: str
    output: list[str]
    logs: list[str]
    attempt: int
    attempts: int
    jobs: int = 1
    input: list[str] | None = None

    def event(self, state: Literal["submitted", "failed"], now: float) -> JobEvent:
        """The event of a job before the pilot has it: it is handed over at `now`, or cannot be."""
        return JobEvent(
            time=now,
            state=state,
            job=self.job,
            rule=self.rule,
            wildcards=self.wildcards,
            label=self.label,
            ranks=1,
            submit=now,
            argv=[],
            output=self.output,
            attempt=self.attempt,
            input=self.input,
        )


@dataclass(frozen=True)
class Submitted:
    """A stage that was handed to the pilot at `time` (seconds since the epoch).

    `command` is what its rule runs, `argv` the launch line, `image` what it runs in; `nested` tells that a Snakemake of
    its own runs it, `pilot` the name of the pilot's folder; `script` is what `command.sh` says to people.
    """

    stage: Stage
    asked: Request
    files: JobFiles
    workdir: Path
    argv: list[str]
    time: float
    command: str = ""
    image: RunImage | None = None
    nested: bool = False
    pilot: str = ""
    script: str = ""

    def event(self) -> JobEvent:
        """The event of its submission."""
        return replace(
            self.stage.event("submitted", self.time),
            ranks=self.asked.ranks,
            cores_per_rank=self.asked.cores_per_rank,
            command=self.command,
            argv=self.argv,
            image=self.image,
            pilot=self.pilot,
            gpus_per_rank=self.asked.gpus_per_rank,
            memory_mb=self.asked.memory_mb,
            minutes=float(self.asked.minutes),
        )

    def record(self) -> dict:
        """That event as plain values."""
        return events.record(self.event())

    def ended(self, outcome: Outcome) -> Ended:
        """What became of it."""
        ended_from_outside = outcome.code is None and outcome.reason is not None
        failed = None if ended_from_outside else self.files.failed_rank()
        code = outcome.code if failed is None else self.files.exit_code(failed)
        if failed is not None and (used := self.files.memory(failed)):
            ranks, limit = self.asked.ranks, -(-self.asked.memory_mb // self.asked.ranks)
            why = ended.by_kernel(limit) if used == "kernel" else ended.for_memory(limit, float(used), ranks)
            return Ended(self, replace(outcome, reason=f"rank {failed}: {why}"), True, failed, None)
        well = outcome.state == "DONE" and failed is None
        several = well and self.asked.ranks > 1
        if several and (missing := self.files.missing_ranks(self.asked.ranks)):
            names = ", ".join(map(str, missing))
            reason = f"a world of the wrong size: of {self.asked.ranks} ranks {names} never ran"
            return Ended(self, replace(outcome, reason=reason), True, None, None)
        # MPI_Abort with the code 0: mpiexec says 0, too.
        if several and (cut := self.files.cut_ranks(self.asked.ranks)):
            reason = f"{ended.CUT}: of {self.asked.ranks} ranks {', '.join(map(str, cut))} did not come to their end"
            return Ended(self, replace(outcome, reason=reason), True, None, None)
        return Ended(self, outcome, outcome.state != "DONE" or failed is not None, failed, code)

    def show_command(self) -> None:
        """Write down what its ranks ran, where a person will look for it: nobody does of a job that went well."""
        path = self.files.folder / "command.sh"
        with contextlib.suppress(OSError):  # a full disk
            if self.script and not path.exists():
                path.write_bytes(os.fsencode(self.script))

    def join_output(self) -> None:
        """Make the ranks' output the rule's log: a redirect that they share would mix their lines up.

        Where the ranks printed nothing, the log is left alone: they may have written it themselves.
        """
        if self.asked.ranks > 1 and len(self.stage.logs) == 1:
            text = self.files.output(self.asked.ranks)
            log = self.workdir / self.stage.logs[0]
            if text or not log.exists():
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(text)


@dataclass(frozen=True)
class Ended:
    """A stage that ended; `rank` is the one that failed first, `code` its exit code, where these are known."""

    of: Submitted
    outcome: Outcome
    failed: bool
    rank: int | None
    code: int | None

    @cached_property
    def span(self) -> tuple[float | None, float | None]:
        """Start and stop of the command on the node; None where it did not begin, or did not end by itself."""
        if self.outcome.start is not None:
            return self.outcome.start, self.outcome.stop
        times = self.of.files.times()
        return (times[0][0], times[-1][1]) if times else (self.of.files.started(), None)

    def skew(self, now: float) -> float:
        """Seconds that the clock of its node is ahead of this machine's, as far as its times show that, for an end that
        was noticed at `now`; 0 where they may be right.
        """
        start, stop = self.span
        if start is not None and start < self.of.time:
            return start - self.of.time
        return max(0.0, (stop or start or now) - now)

    @property
    def again(self) -> bool:
        """Whether Snakemake tries it once more."""
        return self.failed and self.of.stage.attempt < self.of.stage.attempts

    def event(self, now: float) -> JobEvent:
        """The event of its end, noticed at `now`; the times of a node whose clock is wrong are moved."""
        start, stop = self.span
        if skew := self.skew(now):
            start, stop = start - skew, None if stop is None else stop - skew
        nodes = [node for node, _ in self.outcome.cores]
        known = None not in self.span
        return replace(
            self.of.event(),
            time=now,
            state="failed" if self.failed else "finished",
            cores=[core for _, core in self.outcome.cores],
            nodes=nodes,
            start=start,
            stop=stop if stop is not None or start is None else now,
            argv=filled(self.of.argv, self.of.files.folder, nodes),
            exit=self.code,
            log=self.log(),
            cpu_seconds=self.outcome.cpu if self.of.asked.ranks == 1 else self.of.files.cpu(self.of.asked.ranks),
            peak_mb=self.outcome.peak,
            input=None,
            spent=spent.read(self.of.files.spent, *self.span) if known else {},
        )

    def record(self, now: float) -> dict:
        """That event as plain values."""
        return events.record(self.event(now))

    def log(self) -> str:
        """The log to show to a person: the rule's own where something stands in it, else what the job printed."""
        own = [name for name in self.of.stage.logs if _has_text(self.of.workdir / name)]
        return own[0] if own else str(self.of.files.folder / f"out.{self.rank or 0}")

    def why(self) -> str:
        """The cause of the failure, in a few words."""
        again = "".join(f"; no space is left in {folder}" for folder in self._full())
        again += f"; attempt {self.of.stage.attempt + 1} of {self.of.stage.attempts} follows" if self.again else ""
        if self.of.nested and ended.MEMORY in (self.outcome.reason or ""):
            own = "the Snakemake that runs it needs 80 to 110 MB for itself"
            return f"{self.outcome.reason}; {own}{again}"
        if self.code is None:
            return (self.outcome.reason or f"it was {self.outcome.state.lower()}") + again
        number = -self.code if self.code < 0 else self.code - 128
        by_signal = {int(each): f", {each.name}" for each in signal.Signals}.get(number, "")
        code = f"exit code {self.code}{by_signal}"
        if self.of.asked.ranks > 1:
            if self.rank is None:
                return ended.of_launcher(code, self.outcome.reason) + again
            host = self.of.files.host(self.rank)
            code += f" of rank {self.rank}" + (f" on {host}" if host else "")
        return f"{code}{again}"

    def _full(self) -> list[Path]:
        """The folders that it writes to on whose disk there is nothing free."""
        own = [self.of.workdir, *(self.of.workdir / name for name in self.of.stage.output)]
        folders = dict.fromkeys(name.parent if name is not self.of.workdir else name for name in own)
        return [folder for folder in (*folders, self.of.files.folder) if free_megabytes(folder) < 1]

    def last_lines(self) -> list[str]:
        """The end of the log; of several ranks, that of the one that failed."""
        own = self.of.workdir / self.log()
        if self.of.asked.ranks > 1 and self.rank is not None:
            printed = self.of.files.folder / f"out.{self.rank}"
            return telling(printed if _has_text(printed) else own)
        return telling(own)


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
