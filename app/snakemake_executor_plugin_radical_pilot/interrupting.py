"""How a run takes Ctrl-C (SIGINT): the first one ends it, a second one at once; neither by a traceback."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time

TOGETHER = 1.0  # seconds after a first one in which another cannot be an answer to what was said meanwhile
BEGINS = 10.0  # seconds that a run may take from its interruption to the beginning of its end, on a busy machine
ENOUGH = 60.0  # seconds that an end at once may take: then another one ends this process, whatever it waits for
ENDED = "the run was interrupted (Ctrl-C) while none of its jobs ran; the same command goes on with what is done"


def tell_plainly() -> None:
    """Have an interruption that nobody catches end in a sentence: before Snakemake schedules, it is a traceback."""
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: object) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            before(kind, error, trace)
            return
        with contextlib.suppress(OSError, ValueError):
            print(ENDED, file=sys.stderr, flush=True)

    if getattr(before, "__module__", None) != __name__:  # once, however many settings a process makes
        sys.excepthook = show


def let_in() -> None:
    """Take the interruption that was kept back until now (`deeprc.pilot.keeper`)."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


class Interrupts:
    """Those of a run.

    Attributes
    ----------
    hurry
        Is set once it is to end at once.
    """

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self._ends, self._heard = False, float("-inf")

    def attend(self) -> None:
        """Take SIGINT from now on; not where it is ignored, as in the background of a script."""
        now = signal.getsignal(signal.SIGINT)
        if now is signal.default_int_handler or isinstance(getattr(now, "__self__", None), Interrupts):
            with contextlib.suppress(ValueError):  # this is not the main thread: nothing is interrupted here
                signal.signal(signal.SIGINT, self._hear)

    def end(self) -> None:
        """The run ends: an interruption hurries it, and breaks nothing off."""
        self._ends = True

    def _hear(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self.hurry.is_set():
            if now - self._heard < (ENOUGH if self._ends else BEGINS):
                return
        elif self._ends or now - self._heard < TOGETHER:
            self._heard = now
            self.hurry.set()
            return
        self._heard = now
        raise KeyboardInterrupt
