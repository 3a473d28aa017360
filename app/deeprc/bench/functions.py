"""`deeprc bench functions`: calls of a Python function on a pilot, a second, and counted where workers are killed."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from deeprc.bench.machine import describe
from deeprc.core.errors import DeepRCError
from deeprc.pilot import PACKAGES, Allocation, Pilot
from deeprc.pilot.calls import calls
from deeprc.sites import load_site

FUNCTION = f"{__name__}:note"
WARM = ("json",)


def note(path: str, number: int) -> int:
    """What each call does: add its number to a file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b"%d\n" % number)
    os.close(file)
    return number


def run(count: int, kills: int) -> dict:
    """Measure `count` calls, and `count` more amid which `kills` workers get a `kill -9`.

    Returns
    -------
    dict
        `first_s` (of the first call, with its worker's start), `calls_per_s`, `cpu_ms` (of this process, per call);
        `killed`: `kills`, `calls_per_s`, `done`, `lost` (told so), `lost_and_there` (of these, those whose effect is
        there), `twice` (calls whose effect is there more than once) and `missing` (told as done without an effect):
        both are 0 where each call counted once; `load` of the machine as it began; `machine`.

    Raises
    ------
    DeepRCError
        Where a call failed, or was told more or less than once.
    """
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as name:
        folder = Path(name)
        pilot = Pilot(Allocation(load_site("localhost"), runtime=30), folder / "pilot", image="none")
        pilot.start()
        try:
            _measured(pilot, folder / "ready", 1, 0)  # the pilot's own start is not measured
            first = _measured(pilot, folder / "first", 1, 0)
            plain = _measured(pilot, folder / "plain", count, 0)
            killed = _measured(pilot, folder / "killed", count, kills)
        finally:
            pilot.close()
    told = {
        name: killed[name] for name in ("kills", "calls_per_s", "done", "lost", "lost_and_there", "twice", "missing")
    }
    return {
        "calls": count,
        "first_s": round(first["seconds"], 3),
        "calls_per_s": plain["calls_per_s"],
        "cpu_ms": plain["cpu_ms"],
        "killed": told,
        "load": round(load, 1),
        "machine": describe(["deeprc", *PACKAGES]),
    }


def _measured(pilot: Pilot, path: Path, count: int, kills: int) -> dict:
    states, killed, began, cpu = {}, 0, time.monotonic(), time.process_time()
    for number, outcome in calls(pilot, FUNCTION, ((str(path), number) for number in range(count)), warm=WARM):
        if number in states or outcome.state not in ("DONE", "LOST"):
            raise DeepRCError("a call of the benchmark failed, or was told twice", found=f"{number}: {outcome}")
        states[number] = outcome.state
        if killed < kills and len(states) * (kills + 1) >= count * (killed + 1):
            killed += _kill(str(pilot.folder))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    if len(states) != count:
        raise DeepRCError("calls of the benchmark were not told", found=f"{len(states)} of {count}")
    effects = Counter(map(int, path.read_text().split()))
    done = {number for number, state in states.items() if state == "DONE"}
    lost = states.keys() - done
    return {
        "seconds": seconds,
        "calls_per_s": round(count / seconds, 1),
        "cpu_ms": round(cpu / count * 1000, 3),
        "kills": killed,
        "done": len(done),
        "lost": len(lost),
        "lost_and_there": len(lost & effects.keys()),
        "twice": sum(times > 1 for times in effects.values()),
        "missing": len(done - effects.keys()),
    }


def _kill(folder: str) -> int:
    """Kill one of this pilot's workers that is warm; how many that were."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if len(line) > 3 and line[-1:] == [*WARM] and line[-2].startswith("worker.") and line[-3].startswith(folder):
            process.kill()
            return 1
    return 0
