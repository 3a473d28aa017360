"""Whether what was used is what the site file names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deeprc.doctor.logs.read import Use
from deeprc.launch.verdict import SLOW


@dataclass(frozen=True)
class Finding:
    """`fallback`: TCP in place of the site's network, and `slow node`: in place of shared memory; both cost much, and
    crash nothing.
    """

    state: Literal["right", "fallback", "slow node", "other", "unknown", "unused"]
    text: str


def judge_provider(expected: str, used: list[Use], nodes: int) -> Finding:
    """Compare the site file's provider with what the logs tell of a run on `nodes` nodes."""
    if not used:
        return Finding("unknown", "no library told what it uses: its log may be off, or go elsewhere")
    inside = {use.provider for use in used if use.scope == "node"}
    if inside == {"tcp"} and expected != "tcp":
        return Finding("slow node", f"ranks of one node talk through TCP ({_names(used)}), not through shared memory")
    if expected == "shm":
        return _within(used)
    beyond = [use for use in used if use.scope != "node" and use.provider != "shm"]
    named = [use for use in beyond if use.scope == "network"] or beyond
    if nodes == 1 and not any(use.library != "Open MPI" for use in beyond):
        # Open MPI opens its TCP on every machine; on one node nothing goes through it.
        return Finding("unused", f"on one node ranks talk through {_names(used)}: the network was not used")
    if not named:
        return Finding("unknown", f"{_names(used)}, and no word of what lies between the nodes")
    providers = {use.provider for use in named}
    if expected in providers or expected == "tcp":
        return Finding("right", f"{_names(named)}: the site file's {expected}")
    if "tcp" in providers:
        return Finding("fallback", f"fallback to TCP ({_names(named)}) where the site file names {expected}: {SLOW}")
    return Finding("other", f"{_names(named)}, where the site file names {expected}")


def _within(used: list[Use]) -> Finding:
    """A site of one node: shared memory is its network."""
    inside = [use for use in used if use.scope == "node"]
    if any(use.provider == "shm" for use in inside):
        return Finding("right", f"{_names([use for use in inside if use.provider == 'shm'])}: shared memory")
    return Finding("unused", f"{_names(used)} was opened for other nodes; how ranks of one node talk, no library told")


def _names(used: list[Use]) -> str:
    by_library: dict[str, list[str]] = {}
    for use in used:
        by_library.setdefault(use.library, []).append(use.name)
    return "; ".join(f"{library} {', '.join(dict.fromkeys(names))}" for library, names in by_library.items())
