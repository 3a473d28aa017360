"""The private folder: one folder per run of the workflow, with its events and its jobs' scripts and output."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

KEPT = 20  # runs whose events are kept
TAIL = 15  # lines of a failed job's log that are shown


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
        """Start and stop of each repeat, seconds since the epoch, as rank 0 saw them."""
        try:
            rows = (self.folder / "times").read_text().split("\n")
        except OSError:
            return []
        return [(float(row.split()[0]), float(row.split()[1])) for row in rows if len(row.split()) == 2]

    def exit_code(self) -> int | None:
        """The command's exit code in the rank that failed first, or None where none did."""
        codes = sorted(self.folder.glob("code.*"), key=lambda path: path.stat().st_mtime_ns)
        return int(codes[0].read_text()) if codes else None

    def failed_rank(self) -> int | None:
        """The rank that failed first, or None."""
        codes = sorted(self.folder.glob("code.*"), key=lambda path: path.stat().st_mtime_ns)
        return int(codes[0].suffix[1:]) if codes else None

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

    def create(self) -> None:
        """Make the folder, readable by its owner only; drop the oldest runs beyond KEPT."""
        self.path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(parents=True)
        for old in sorted(self.path.parent.iterdir())[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def tidy(self) -> None:
        """Remove the jobs' files; the events stay."""
        shutil.rmtree(self.path / "jobs", ignore_errors=True)
        (self.path / "environment.sh").unlink(missing_ok=True)

    def job(self, uid: str) -> JobFiles:
        """The folder of one job, made."""
        files = JobFiles(self.path / "jobs" / uid)
        files.folder.mkdir(parents=True)
        return files


def tail(path: Path, text: str) -> list[str]:
    """The last lines of the file `path`, or of `text` where the file is empty or missing."""
    try:
        whole = path.read_text(errors="replace") or text
    except OSError:
        whole = text
    return whole.rstrip().splitlines()[-TAIL:]
