"""Notice that a job must end soon: a signal from a scheduler, from the executor, or from whoever stops it."""

from __future__ import annotations

import signal
from typing import Self

from deeprc.core.errors import DeepRCError

# SIGTERM is the executor's and most schedulers'; users usually give `sbatch --signal` one of SIGUSR1 and SIGUSR2.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class AskedToEnd(DeepRCError):
    """A training was asked to end before it was done; its state is saved."""

    exit_code = 75  # EX_TEMPFAIL: worth trying again


class Notice:
    """Whether this process was asked to end; within its context the signals do no more than that."""

    def __init__(self) -> None:
        self.given, self._before = False, {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.given = True
