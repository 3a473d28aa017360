"""Writes down the energy that this machine takes while a run goes on, where its jobs run here."""

from __future__ import annotations

import time

from deeprc.core.energy import Meter
from deeprc.core.events import EnergyEvent
from snakemake_executor_plugin_radical_pilot.state import WorkflowRun

EVERY = 20.0  # seconds between two looks
ELSEWHERE = "the jobs run on other machines, whose counters are not read"


class Metered:
    """The energy of a run."""

    def __init__(self, run: WorkflowRun) -> None:
        self._run, self._meter, self._looked = run, None, 0.0

    def begin(self, *, elsewhere: bool) -> None:
        """The run begins; `elsewhere`: on other machines."""
        meter = None if elsewhere else Meter()
        if meter is None or meter.why:
            self._run.events.write(EnergyEvent(time=time.time(), why=ELSEWHERE if meter is None else meter.why))
            return
        self._meter, self._looked = meter, time.monotonic()

    def look(self, *, last: bool = False) -> None:
        """Write down what was taken so far, now and then, and at the end."""
        now = time.monotonic()
        if self._meter is None or (now - self._looked < EVERY and not last):
            return
        self._looked = now
        self._run.events.write(EnergyEvent(time=time.time(), joules=round(self._meter.read(), 1), of=self._meter.of))
