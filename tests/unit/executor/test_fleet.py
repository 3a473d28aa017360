"""Jobs between Snakemake and the pilots."""

from __future__ import annotations

import threading
from collections import deque
from types import SimpleNamespace

from snakemake_executor_plugin_radical_pilot import fleet, kinds
from snakemake_executor_plugin_radical_pilot.resources import PlacementError, Request
from snakemake_executor_plugin_radical_pilot.routes import Routes
from snakemake_executor_plugin_radical_pilot.routing import PilotRoom


def test_a_job_whose_resources_are_not_understood_fails_alone(monkeypatch):
    """They may be computed from a file, so that nobody could say so before."""

    def asks(job: str) -> Request:
        if job == "b":
            raise PlacementError("rule b: the resource mem_mb is negative")
        return Request(cores_per_rank=2)

    failed, taken = [], []
    for module in (fleet, kinds):
        monkeypatch.setattr(module, "asks", asks, raising=False)
    monkeypatch.setattr(fleet, "give_up", lambda run, job, error: failed.append((job, str(error))))
    kind = object.__new__(kinds.PilotKind)
    kind.shape, kind.room, kind.refused = SimpleNamespace(most=1, least=1, name=""), PilotRoom(4), False
    kind.waiting, kind._parts = deque(), 0.0
    kind.lanes = [SimpleNamespace(pilots=SimpleNamespace(gone=False, given_up=False), take=taken.extend)]
    all_pilots = object.__new__(fleet.Fleet)
    all_pilots._run = SimpleNamespace(events=object(), lock=threading.RLock())
    all_pilots.kinds, all_pilots._routes = [kind], Routes([kind])
    all_pilots.submit(["a", "b", "c"])
    assert taken == ["a", "c"]
    assert failed == [("b", "rule b: the resource mem_mb is negative")]
