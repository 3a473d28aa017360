"""Whole ways to do the same, each from its start to its end, in turns; and Snakemake's, by what its run has told."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deeprc.bench.contest import ratios
from deeprc.core.errors import DeepRCError
from deeprc.core.events import JobEvent, PilotEvent, read

SAID = "said"  # what commands say that write to no file of their own
LINES = 8  # of what Snakemake says of a run that failed


def in_turns(
    ways: Sequence[str], repeats: int, one: Callable[[str, int], dict], say: Callable[[str], None]
) -> dict[str, list[dict]]:
    """Each way, as often as is said; the order is another one in every second turn.

    Parameters
    ----------
    one
        Goes a way once, given the number of the turn: `seconds` and other figures, or how it `failed`.
    """
    took: dict[str, list[dict]] = {way: [] for way in ways}
    for turn in range(repeats):
        for way in ways if turn % 2 == 0 else reversed(ways):
            took[way].append(last := one(way, turn))
            say(f"turn {turn + 1}, {way}: " + (last.get("failed") or f"{last['seconds']:.1f} s"))
    return took


def figures(turns: Sequence[dict]) -> dict:
    """`failures`: what the failed turns of a way said; of the others `seconds` (`median`, `turns`), and the medians of
    their other figures.
    """
    well = [turn for turn in turns if "seconds" in turn]
    found: dict = {"failures": [turn["failed"] for turn in turns if "failed" in turn]}
    if well:
        seconds = [round(turn["seconds"], 2) for turn in well]
        found["seconds"] = {"median": statistics.median(seconds), "turns": seconds}
        names = [name for name, value in well[0].items() if isinstance(value, float) and name != "seconds"]
        found |= {name: round(statistics.median(turn[name] for turn in well), 2) for name in names}
    return found


def compared(took: Mapping[str, Sequence[dict]]) -> dict:
    """Of each pair of ways the ratios of those turns in which neither failed."""
    ways, found = [*took], {}
    for number, way in enumerate(ways):
        for other in ways[number + 1 :]:
            pairs = zip(took[other], took[way], strict=True)
            if well := [pair for pair in pairs if all("seconds" in turn for turn in pair)]:
                found[f"{other} / {way}"] = ratios(well)
    return found


def same(took: Mapping[str, Sequence[dict]]) -> bool:
    """Whether all turns that did not fail have the same `result`, and there are any."""
    results = [turn["result"] for each in took.values() for turn in each if "result" in turn]
    return bool(results) and all(result == results[0] for result in results)


def snakemake(folder: Path, arguments: Sequence[str]) -> None:
    """Run it there; a DeepRCError with its last lines where it fails."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    with (folder / SAID).open("w") as said:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    if done.returncode:
        lines = [line for line in (folder / SAID).read_text(errors="replace").splitlines() if line.strip()]
        raise DeepRCError(f"Snakemake failed (exit {done.returncode})", found="\n    ".join(lines[-LINES:]))


def told_by(folder: Path) -> tuple[float, list[JobEvent]]:
    """When the pilot of the one run in a folder was ready, and the jobs that it has finished."""
    (path,) = folder.glob(".deeprc/runs/*/events.jsonl")
    events = [*read(path)]
    active = min(event.time for event in events if isinstance(event, PilotEvent) and event.state == "active")
    return active, [event for event in events if isinstance(event, JobEvent) and event.state == "finished"]
