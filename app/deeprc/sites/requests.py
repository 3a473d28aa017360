"""What a site's own options of an allocation ask for: its nodes, and the accelerators of each.

Options that cannot be read (a number from a variable, a batch system's other words) are not compared with anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# Slurm: sbatch.html. What each counts for: a node, the job, a task, a socket.
SLURM_GPUS = {
    "--gpus-per-node": "node", "--gres": "node", "--tres-per-node": "node", "--gpus": "job", "-G": "job",
    "--gpus-per-task": "task", "--tres-per-task": "task", "--gpus-per-socket": "socket",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A number that an option asks for, the option as it stands, and what to write for it instead."""

    count: int
    option: str
    instead: str


def pairs(options: Iterable[str]) -> list[tuple[str, str]]:
    """Options with their values: `--gres=gpu:1`, `-l select=2`, `-lselect=2`, `-N 2`; the value is empty for none."""
    words = [word for option in options for word in shlex.split(option)]
    found = []
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            found.append((name, value if equals else "" if after.startswith("-") else after))
        elif re.match(r"-[a-zA-Z]", word):
            glued = word[2:] if len(word) > 2 and (word[2].isdigit() or word[:2] == "-l") else None
            found.append((word[:2], glued) if glued else (word, "" if after.startswith("--") else after))
    return found


def gpus(scheduler: str, options: Iterable[str], nodes: int, sockets: int = 1) -> Asked | None:
    """The fewest accelerators of a node that any option asks for; None where none does."""
    reader = {"slurm": _slurm, "pbspro": _pbs, "lsf": _lsf}.get(scheduler)
    found = list(reader(pairs(options), nodes, sockets)) if reader else []
    return min(found, key=lambda asked: asked.count) if found else None


def nodes(scheduler: str, options: Iterable[str]) -> Asked | None:
    """The nodes that the options ask for; None where they say nothing of them."""
    given = pairs(options)
    if scheduler == "slurm":
        last = next((pair for pair in reversed(given) if pair[0] in ("--nodes", "-N")), None)
        count = last and re.fullmatch(r"(?:\d+-)?(\d+)", last[1])
        return Asked(int(count[1]), _spelt(*last), "--nodes={nodes}") if last and count else None
    if scheduler == "pbspro":
        chunks = list(_chunks(given))
        if chunks and all(chunk[0] is not None for chunk in chunks):
            return Asked(sum(chunk[0] or 0 for chunk in chunks), f"-l {chunks[0][2]}", "-l select={nodes}:…")
    if scheduler == "lsf":
        last = next((value for name, value in reversed(given) if name == "-nnodes"), "")
        return Asked(int(last), f"-nnodes {last}", "-nnodes {nodes}") if last.isdigit() else None
    return None


def places(options: Iterable[str]) -> list[str]:
    """PBS: the values of `-l place=…`."""
    return [part for _, value in _resources(pairs(options)) for part in re.findall(r"^place=(.*)", value)]


def lays_nodes(options: Iterable[str]) -> bool:
    """PBS: whether nodes are asked for in Torque's words, `-l nodes=…`, which scatters and bears no `place`."""
    return any(value.startswith("nodes=") for _, value in _resources(pairs(options)))


def _slurm(given: Sequence[tuple[str, str]], nodes: int, sockets: int) -> Iterator[Asked]:
    tasks = [value for name, value in given if name == "--ntasks-per-node"]
    for name, value in dict(given).items():  # the last of each counts
        if name not in SLURM_GPUS or (count := _of_gres(name, value)) is None:
            continue
        per = SLURM_GPUS[name]
        if per == "task":
            count *= int(tasks[-1]) if tasks and tasks[-1].isdigit() else 1
        each = {"job": count // nodes, "socket": count * sockets}.get(per, count)
        number = re.sub(r"\d+$", "{gpus}", value) if re.search(r"\d$", value) else f"{value}:{{gpus}}"
        yield Asked(each, _spelt(name, value), f"{name}={number}" if per == "node" else "--gpus-per-node={gpus}")


def _of_gres(name: str, value: str) -> int | None:
    """Those in `4`, `a100:4`, `a100:2,h100:1`, `gpu`, `gpu:a100:2(S:0)`, `gres/gpu:4`; None for no number."""
    kinds = [re.sub(r"\(.*", "", part).removeprefix("gres/").removeprefix("gres:") for part in value.split(",")]
    if name in ("--gres", "--tres-per-node", "--tres-per-task"):
        kinds = [re.sub(r"^gpu[:=]?", "", kind) for kind in kinds if re.match(r"gpu\b", kind)]
    numbers = [kind.rpartition(":")[2] for kind in kinds]
    if not numbers or any("$" in kind for kind in kinds):
        return 0 if value == "none" else None
    return sum(int(number) if number.isdigit() else 1 for number in numbers)


def _pbs(given: Sequence[tuple[str, str]], nodes: int, sockets: int) -> Iterator[Asked]:
    packed = nodes == 1 and any(value.startswith("place=pack") for _, value in _resources(given))
    of = [(many, int(number[1]), text) for many, chunk, text in _chunks(given)
          if (number := re.search(r"(?:^|:)n?gpus=(\d+)", chunk))]  # fmt: skip
    instead = re.sub(r"gpus=\d+", "gpus={gpus}", f"-l {of[0][2]}") if of else ""
    if packed and of:  # several chunks on one host
        yield Asked(sum((many or 1) * number for many, number, _ in of), f"-l {of[0][2]}", instead)
    elif of:
        yield Asked(min(number for _, number, _ in of), f"-l {of[0][2]}", instead)
    for _, value in _resources(given):
        if whole := re.fullmatch(r"ngpus=(\d+)", value):
            yield Asked(int(whole[1]) // nodes, f"-l {value}", "-l select={nodes}:ngpus={gpus}")


def _resources(given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, part) for name, value in given if name == "-l" for part in value.split(",")]


def _chunks(given: Sequence[tuple[str, str]]) -> Iterator[tuple[int | None, str, str]]:
    """Of `select` and of Torque's `nodes`: how many of each chunk (None where unreadable), its text, and the whole."""
    for _, value in _resources(given):
        name, _, chunks = value.partition("=")
        if name not in ("select", "nodes"):
            continue
        for chunk in chunks.split("+"):
            first = chunk.partition(":")[0]
            many = int(first) if first.isdigit() else None if "$" in first else 1
            yield many, chunk, value


def _lsf(given: Sequence[tuple[str, str]], nodes: int, sockets: int) -> Iterator[Asked]:
    for name, value in given:
        if name == "-gpu":
            number = re.search(r"\bnum=(\d+)(/task)?", value)
            if number is None or number[2] is None:  # bsub.gpu: one, where nothing is said
                instead = re.sub(r"num=\d+", "num={gpus}", value) if number else "num={gpus}"
                yield Asked(int(number[1]) if number else 1, f"-gpu {value}", f"-gpu {instead}")
        elif name == "-R" and (number := re.search(r"\bngpus\w*=(\d+)", value)):
            yield Asked(
                int(number[1]), f"-R {value}", f"-R {value.replace(number[0], number[0][: -len(number[1])] + '{gpus}')}"
            )


def _spelt(name: str, value: str) -> str:
    return f"{name}={value}" if name.startswith("--") else f"{name} {value}"
