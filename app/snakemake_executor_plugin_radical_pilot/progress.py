"""What a person sees while the workflow runs: a line per finished stage, and who is running when it takes long."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

BLANK = "\r\x1b[2K"  # clears the terminal's line
HEARTBEAT = 30.0  # seconds without a line after which the running stages are named


class Progress:
    """Plain lines on standard error, with the time since the start."""

    def __init__(self, total, mask: Callable[[str], str] = str) -> None:
        self._began = self._last = time.monotonic()
        self._total = total  # a function: a checkpoint adds jobs as it goes
        self._mask = mask  # takes secrets out of a text
        self._done = self._failures = 0
        self._live = sys.stderr.isatty()
        self._shown = 0.0

    def say(self, text: str) -> None:
        """One line."""
        self._last = time.monotonic()
        minutes, seconds = divmod(int(self._last - self._began), 60)
        clear = BLANK if self._live else ""
        _print(f"{clear}[{minutes:2d}:{seconds:02d}] {self._mask(text)}")

    def status(self, running: int, waiting: int, cores: str) -> None:
        """One line below all others that is kept up to date; only on a terminal."""
        now = time.monotonic()
        if self._live and now - self._shown > 0.5:
            self._shown = now
            minutes, seconds = divmod(int(now - self._began), 60)
            counts = f"{running} running · {waiting} waiting · {self._done} done · {self._failures} failed · {cores}"
            _print(f"{BLANK}[{minutes:2d}:{seconds:02d}] {counts}", end="\r")

    def finished(self, label: str, seconds: float, running: int, jobs: int = 1) -> None:
        """A stage of that many jobs ended well; `running` others run."""
        self._done += jobs
        total = str(max(self._total(), self._done))
        self.say(f"{self._done:>{len(total)}}/{total} done · {running} running · finished: {label} ({seconds:.1f} s)")

    def failed(self, label: str, why: str, tail: list[str], log: str) -> None:
        """A stage failed: its name, the cause, the end of its log, and where the whole log is."""
        self._failures += 1
        self.say(f"FAILED: {label} ({why})")
        rows = [*(f"  | {line}" for line in tail), f"  log: {log}"]
        _print(self._mask("\n".join(rows)))

    @property
    def silent(self) -> bool:
        """Whether nothing was said for so long that a person wonders."""
        return time.monotonic() - self._last > HEARTBEAT

    def heartbeat(self, running: list[tuple[str, float]], waiting: int) -> None:
        """Name what runs, with its seconds so far, and how many wait."""
        names = ", ".join(f"{label} ({seconds:.0f} s)" for label, seconds in running[:4])
        more = f" and {len(running) - 4} more" if len(running) > 4 else ""
        self.say(f"running: {names or 'nothing'}{more} · {waiting} waiting")


def _print(text: str, end: str = "\n") -> None:
    # Whoever read it may be gone (`snakemake … 2>&1 | head`): the run goes on without being watched.
    with contextlib.suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)
