"""The private folder: one folder per run of the workflow, with its events and its jobs' scripts and output."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.ownership import private, require_closed, require_fixed, require_private, require_writable
from snakemake_executor_plugin_radical_pilot.private import Private, sweep

KEPT = 20  # runs whose events are kept
ELSEWHERE = "name another folder, which is yours, by --radical-pilot-folder"


@dataclass(frozen=True)
class JobFiles:
    """The files of one job's run."""

    folder: Path

    @property
    def script(self) -> Path:
        """What each rank runs."""
        return self.folder / "job.sh"

    def started(self) -> float | None:
        """When rank 0 began the command, or None."""
        try:
            return float((self.folder / "started").read_text())
        except (OSError, ValueError):
            return None

    def times(self) -> list[tuple[float, float]]:
        """Start and stop of each repeat, seconds since the epoch, as rank 0 saw them; less what cannot be read."""
        found = []
        with contextlib.suppress(OSError, ValueError):
            for row in (self.folder / "times").read_text().splitlines():
                start, stop = map(float, row.split())
                found.append((start, stop))
        return found

    @property
    def spent(self) -> Path:
        """Where it says what it has spent its time on."""
        return self.folder / "spent"

    @property
    def sample(self) -> Path:
        """Where a worker writes the figures of a benchmark."""
        return self.folder / "sample.json"

    def samples(self) -> list[dict[str, float]]:
        """The figures of each repeat, as far as there are any."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self.sample.read_text())
        return []

    def missing_ranks(self, ranks: int) -> list[int]:
        """The ranks that have never run: the launcher did not number them as it should."""
        return [rank for rank in range(ranks) if not (self.folder / f"out.{rank}").exists()]

    def cut_ranks(self, ranks: int) -> list[int]:
        """The ranks whose script did not come to its end; none of a gang's, which has no script."""
        if not self.script.exists():
            return []
        return [rank for rank in range(ranks) if not (self.folder / f"cpu.{rank}").exists()]

    def failed_rank(self) -> int | None:
        """The rank whose command failed first, or None."""
        codes: list[Path] = []
        with contextlib.suppress(OSError):
            codes = [path for path in self.folder.iterdir() if re.fullmatch(r"code\.\d+", path.name)]
        return int(min(codes, key=lambda path: path.stat().st_mtime_ns).suffix[1:]) if codes else None

    def exit_code(self, rank: int) -> int:
        """The exit code of the command in a rank that failed."""
        try:
            return int((self.folder / f"code.{rank}").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 1

    def host(self, rank: int) -> str | None:
        """The node where a signal has ended the command in a rank."""
        try:
            return (self.folder / f"code.{rank}").read_text().split()[1]
        except (OSError, ValueError, IndexError):
            return None

    def memory(self, rank: int) -> str | None:
        """What is known about a rank that was killed for its memory: the MB that it had, or `kernel`."""
        path = self.folder / f"memory.{rank}"
        return path.read_text().strip() if path.exists() else None

    def cpu(self, ranks: int) -> float | None:
        """The seconds of CPU time that all ranks took together, as their shells saw it; None where one has not said."""
        total = 0.0
        for rank in range(ranks):
            try:
                told = (self.folder / f"cpu.{rank}").read_text().split()[-2:]  # of what the shell has waited for
            except OSError:
                return None
            found = [re.fullmatch(r"(\d+)m(\d+)[.,](\d+)s", text) for text in told]
            if len(found) < 2 or not all(found):
                return None
            total += sum(int(each[1]) * 60 + float(f"{each[2]}.{each[3]}") for each in found)
        return round(total, 3)

    def output(self, ranks: int) -> str:
        """What the ranks wrote; with several of them each line begins with its rank."""
        parts = []
        for rank in range(ranks):
            path = self.folder / f"out.{rank}"
            text = path.read_text(errors="replace") if path.exists() else ""
            parts.append(text if ranks == 1 else "".join(f"{rank}: {line}\n" for line in text.splitlines()))
        return "".join(parts)


class RunFolder:
    """`<folder>/runs/<id>`, made when the first job is submitted."""

    def __init__(self, folder: Path) -> None:
        self.id = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
        self.path = folder.absolute() / "runs" / self.id
        self.host = socket.gethostname()
        self.private = Private(self.path)

    def check(self) -> None:
        """Raise an OwnershipError where others could exchange what pilots and jobs run, or Snakemake's scripts, and
        where the user may not write; and where everybody may write to the working directory.
        """
        for folder in (self.path.parent.parent, self.path.parent):
            require_private(folder, fix=ELSEWHERE)
        require_writable(self.path.parent, fix=ELSEWHERE)
        require_fixed(Path(".snakemake", "scripts").absolute(), fix="run in a working directory that is yours")
        require_closed(Path.cwd())

    def create(self) -> list[str]:
        """Make the folder, readable by its owner only; drop the oldest runs beyond KEPT, and secrets of killed ones.

        Return what was left of killed ones, which is ended, in words.
        """
        private(self.path.parent.parent, fix=ELSEWHERE)
        private(self.path.parent, fix=ELSEWHERE)
        self.path.mkdir(mode=0o700)
        left = sweep(self.path.parent)
        for old in sorted(self.path.parent.iterdir())[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return left

    def tidy(self) -> None:
        """Remove the jobs' files; the events stay."""
        shutil.rmtree(self.path / "jobs", ignore_errors=True)

    def job(self, uid: str) -> JobFiles:
        """The folder of one job, made."""
        files = JobFiles(self.path / "jobs" / uid)
        files.folder.mkdir(parents=True)
        return files
