"""The rules of the results as a graph: who reads what whom has made, in layers from the first ones down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean

from deeprc.reporting import words
from deeprc.reporting.chain import Makers
from deeprc.reporting.events import Execution, Run
from deeprc.reporting.figures.timeline import colour
from deeprc.reporting.theme import OTHER

WIDTH, HEIGHT, APART = 156, 62, 34  # pixels of a box, and between two layers
ROOM = WIDTH + 10  # of a box in its layer
NARROW = 2  # boxes beside each other for which a window of 400 pixels has room
SIGNS = 18  # of a line in a box
SWEEPS = 4  # orders of the layers that are tried


@dataclass(frozen=True)
class Rule:
    """A box.

    Attributes
    ----------
    jobs, seconds
        Of those that went well; each counts once, with its last execution.
    open
        Jobs that have not ended yet, such as the report's own.
    earlier
        Whether all of its jobs stood from earlier runs.
    after
        The rules that made what it reads, the first one first.
    x, y
        The middle of the box, in parts of the width; its top, in pixels.
    """

    name: str
    jobs: int
    seconds: float
    colour: str
    open: int = 0
    earlier: bool = False
    after: list[str] = field(default_factory=list)
    x: float = 0.5
    y: int = 0

    @property
    def lines(self) -> list[str]:
        """Its name in one line or two."""
        if len(self.name) <= SIGNS:
            return [self.name]
        breaks = [at + 1 for at, sign in enumerate(self.name) if sign in "_-."] or [len(self.name) // 2]
        at = min(breaks, key=lambda at: abs(at - len(self.name) / 2))
        return [part if len(part) <= SIGNS else f"{part[: SIGNS - 1]}…" for part in (self.name[:at], self.name[at:])]

    @property
    def told(self) -> str:
        """What stands below its name."""
        return f"{words.count(self.jobs, 'job')} · {words.duration(self.seconds)}" if self.jobs else "has not ended yet"

    @property
    def when(self) -> str:
        """In which run its jobs ended."""
        return "not ended yet" if not self.jobs else "earlier" if self.earlier else "this run"


@dataclass(frozen=True)
class RuleGraph:
    """Boxes and lines.

    Attributes
    ----------
    lines
        From x, y to x, y, as those of rules; and whether it ends at a box.
    widest
        Boxes, and lines that pass, in the layer that has the most.
    """

    rules: list[Rule]
    lines: list[tuple[float, int, float, int, bool]]
    layers: int
    widest: int

    width, height, half = WIDTH, HEIGHT, WIDTH // 2

    @property
    def total(self) -> int:
        """Its height in pixels."""
        return self.layers * (HEIGHT + APART) - APART + 2

    @property
    def least(self) -> int:
        """The pixels that it needs from side to side; 0 where a small window has them."""
        return 0 if self.widest <= NARROW else self.widest * ROOM

    @property
    def in_words(self) -> str:
        """For who does not see it."""
        after = (f"{rule.name} after {words.listing(rule.after)}" for rule in self.rules if rule.after)
        told = f"Graph of {words.count(len(self.rules), 'rule')} in {words.count(self.layers, 'layer')}"
        return f"{told}: {'; '.join(after)}."


def graph(run: Run, tasks: Iterable[Execution]) -> RuleGraph | None:
    """The rules of `run`, and of the `tasks` that the results stand on; None where none tells what it reads."""
    done = {task.work: task for task in [*tasks, *run.tasks] if not task.failed}
    if not run.asked and all(task.input is None for task in done.values()):
        return None
    makers, rules = Makers(done.values()), {}
    after: dict[str, dict[str, None]] = {}
    for task in sorted(done.values(), key=lambda task: task.start):
        one = rules.get(task.rule) or Rule(task.rule, 0, 0.0, colour(task), earlier=True)
        earlier = one.earlier and task.run != run.id
        rules[task.rule] = replace(one, jobs=one.jobs + 1, seconds=one.seconds + task.seconds, earlier=earlier)
        after.setdefault(task.rule, {}).update((maker.rule, None) for maker in makers.of(task.input or ()))
    for job, rule in run.begun.items():
        one = rules.get(rule)
        if one is None or one.earlier:  # what it made before is being made anew
            one = Rule(rule, 0, 0.0, one.colour if one else OTHER)
        rules[rule] = replace(one, open=one.open + 1)
        read = makers.of(run.asked.get(job) or ())
        after.setdefault(rule, {}).update((maker.rule, None) for maker in read)
    order = {name: number for number, name in enumerate(rules)}
    told = {name: sorted(before.keys() - {name}, key=order.get) for name, before in after.items()}
    return _laid_out([replace(rule, after=told[name]) for name, rule in rules.items()])


def _laid_out(rules: list[Rule]) -> RuleGraph:
    links = _reduced(_acyclic({rule.name: rule.after for rule in rules}))
    layer = _layers(links)
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for rule in rules:
        rows[layer[rule.name]].append(rule.name)
    steps: list[tuple[str, str]] = []  # from layer to layer: a line that passes a layer has a place in it
    for name, before in links.items():
        for other in before:
            now = other
            for between in range(layer[other] + 1, layer[name]):
                rows[between].append(bend := f"{other} → {name} {between}")
                steps.append((now, bend))
                now = bend
            steps.append((now, name))
    _untangle(rows, steps)
    x = {name: (at + 0.5) / len(row) for row in rows for at, name in enumerate(row)}
    y = {name: number * (HEIGHT + APART) + 1 for number, row in enumerate(rows) for name in row}
    lines = []
    for one, other in steps:
        lines.append((x[one], y[one] + HEIGHT, x[other], y[other], other in layer))
        if other not in layer:  # it passes the layer
            lines.append((x[other], y[other], x[other], y[other] + HEIGHT, False))
    placed = [replace(rule, x=x[rule.name], y=y[rule.name]) for rule in rules]
    return RuleGraph(placed, lines, len(rows), max(map(len, rows)))


def _acyclic(after: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """From the first rules on, what comes before each; of rules that go round in a circle one link is left out."""
    left, found = dict(after), {}
    while left:
        free = [name for name, before in left.items() if not any(other in left for other in before)]
        free = free or [next(iter(left))]
        found |= {name: [other for other in left[name] if other in found] for name in free}
        left = {name: before for name, before in left.items() if name not in free}
    return found


def _reduced(links: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without those that follow from others."""
    all_before: dict[str, set[str]] = {}
    for name, before in links.items():
        all_before[name] = {*before}.union(*(all_before[other] for other in before))
    return {
        name: [one for one in before if not any(one in all_before[other] for other in before)]
        for name, before in links.items()
    }


def _layers(links: dict[str, list[str]]) -> dict[str, int]:
    """As far down as the longest way to it is long."""
    found: dict[str, int] = {}
    for name, before in links.items():
        found[name] = max((found[other] + 1 for other in before), default=0)
    return found


def _untangle(rows: list[list[str]], steps: list[tuple[str, str]]) -> None:
    """Order each layer by where what it is linked to stands, so that few lines cross."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for one, other in steps:
        above.setdefault(other, []).append(one)
        below.setdefault(one, []).append(other)

    def order(row: list[str], beside: list[str], near: dict[str, list[str]]) -> None:
        there = {name: (at + 0.5) / len(beside) for at, name in enumerate(beside)}
        here = {name: (at + 0.5) / len(row) for at, name in enumerate(row)}
        row.sort(key=lambda name: fmean([there[other] for other in near.get(name, ())] or [here[name]]))

    down = [(number, number - 1, above) for number in range(1, len(rows))]
    up = [(number, number + 1, below) for number in range(len(rows) - 2, -1, -1)]
    for number, beside, near in [*(down + up) * SWEEPS, *down]:
        order(rows[number], rows[beside], near)
