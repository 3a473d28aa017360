"""Workers and gangs from when they are asked for until they are ready, so that the time of their imports is known."""

from __future__ import annotations

import time
from collections.abc import Callable

from deeprc.core.events import WorkerEvent
from deeprc.pilot.engine import Cores


class Coming:
    """Those that are not ready yet; `tell` takes the event of each that is.

    Of a gang its first rank speaks: all wait for each other as MPI starts.
    """

    def __init__(self, tell: Callable[[WorkerEvent], None]) -> None:
        self._tell = tell
        self._asked: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._cores: dict[str, Cores] = {}
        self._called: dict[str, tuple[float, float]] = {}

    def asked(self, name: str, warm: tuple[str, ...]) -> None:
        """One was asked for."""
        self._asked[name] = time.time(), warm

    def placed(self, name: str, cores: Cores) -> None:
        """The pilot has given it cores."""
        if name in self._asked:
            self._cores[name] = cores
            self._settle(name)

    def called(self, name: str, imports: float) -> None:
        """It is there, after so many seconds of imports."""
        name, _, rank = name.partition(":")
        if name in self._asked and rank in ("", "0"):
            self._called[name] = time.time(), imports
            self._settle(name)

    def gone(self, name: str) -> None:
        """It has ended, before or after it was ready."""
        for known in (self._asked, self._cores, self._called):
            known.pop(name, None)

    def _settle(self, name: str) -> None:
        if name not in self._cores or name not in self._called:
            return
        (asked, warm), (ready, imports), cores = self._asked[name], self._called[name], self._cores[name]
        self.gone(name)
        began = max(asked, ready - imports)
        self._tell(
            WorkerEvent(
                time=ready, name=name, asked=asked, began=began, warm=[*warm], cores=[core for _, core in cores],
                nodes=[node for node, _ in cores],
            )
        )  # fmt: skip
