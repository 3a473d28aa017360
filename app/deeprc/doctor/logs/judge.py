"""Whether what was used is what the site file names: by every library, on every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deeprc.doctor.logs.read import CHANNEL, Use
from deeprc.launch.verdict import SLOW

Statement = list[Use]  # what one line of a log names: a connection of UCX's has several ways, each one a Use


@dataclass(frozen=True)
class Finding:
    """`fallback`: TCP in place of the site's network, and `slow node`: in place of shared memory; both cost much, and
    crash nothing.
    """

    state: Literal["right", "fallback", "slow node", "other", "unknown", "unused"]
    text: str


def judge_provider(expected: str, used: list[Use], nodes: int) -> Finding:
    """Compare the site file's provider with what the logs say about a run on `nodes` nodes."""
    if not used:
        return Finding("unknown", "no library told what it uses: its log may be off, or go elsewhere")
    statements = list(_by_line(used).values())
    slow = [line for line in statements if line[0].scope == "node" and {use.provider for use in line} == {"tcp"}]
    if slow and expected != "tcp":
        return Finding(
            "slow node", f"ranks of one node talk through TCP ({_names(slow)}), not through shared memory"
        )  # fmt: skip
    if expected == "shm":
        return _within(used)
    beyond = _between_nodes(statements, nodes)
    if not beyond and nodes == 1:
        return Finding("unused", f"on one node ranks talk through {_names(statements)}: the network was not used")
    if not beyond:
        return Finding("unknown", f"{_names(statements)}, and no word of what lies between the nodes")
    if expected == "tcp":
        return Finding("right", f"{_names(beyond)}: the site file's {expected}")
    wanted = "mlx5" if expected == "verbs" else expected  # the logs' words for verbs do not tell whose card it is
    right = [line for line in beyond if any(use.provider == wanted for use in line)]
    wrong = [line for line in beyond if line not in right]
    if not wrong:
        return Finding("right", f"{_names(right)}: the site file's {expected}")
    beside = f"; {_names(right)} is right" if right else ""
    if fallen := [line for line in wrong if any(use.provider == "tcp" for use in line)]:
        told = f"; the log says: {fallen[0][0].line}" if right else ""
        text = f"fallback to TCP ({_names(fallen)}) where the site file names {expected}: {SLOW}{beside}{told}"
        return Finding("fallback", text)
    return Finding("other", f"{_names(wrong)}, where the site file names {expected}{beside}")


def _by_line(used: list[Use]) -> dict[str, Statement]:
    lines: dict[str, Statement] = {}
    for use in used:
        lines.setdefault(use.line, []).append(use)
    return lines


def _between_nodes(statements: list[Statement], nodes: int) -> list[Statement]:
    """What each library says about the way between nodes, if it says anything."""
    beyond = [line for line in statements if line[0].scope != "node" and not any(u.provider == "shm" for u in line)]
    clear = {line[0].library for line in beyond if line[0].scope == "network"}
    beyond = [line for line in beyond if line[0].scope == "network" or line[0].library not in clear]
    if nodes == 1:
        # NCCL chooses a network on one node, too; only channels go through it, and without the OFI plugin, which is
        # left out on one node of Slingshot, its choice is TCP.
        channels = any(CHANNEL in line[0].line for line in beyond)
        beyond = [line for line in beyond if line[0].library != "NCCL" or channels or line[0].provider != "tcp"]
    # Open MPI opens its own TCP before it chooses UCX or libfabric, and on one node, where nothing goes through it.
    others = any(line[0].library in ("UCX", "libfabric") for line in beyond)
    return [line for line in beyond if line[0].library != "Open MPI" or (nodes > 1 and not others)]


def _within(used: list[Use]) -> Finding:
    """A site of one node: shared memory is its network."""
    inside = [[use] for use in used if use.scope == "node" and use.provider == "shm"]
    if inside:
        return Finding("right", f"{_names(inside)}: shared memory")
    return Finding(
        "unused", f"{_names([used])} was opened for other nodes; how ranks of one node talk, no library told"
    )


def _names(statements: list[Statement]) -> str:
    by_library: dict[str, list[str]] = {}
    for use in (use for line in statements for use in line):
        by_library.setdefault(use.library, []).append(use.name)
    return "; ".join(f"{library} {', '.join(dict.fromkeys(names))}" for library, names in by_library.items())
