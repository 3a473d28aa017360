"""What was done, or would be: a tree of steps with what they send, for `explain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deeprc.frames.lazy.cuts import Cut
from deeprc.frames.lazy.deal import Size
from deeprc.frames.lazy.nodes import Node, bottom_up

UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


@dataclass
class Step:
    """A step of a run, or of one that is planned.

    Parameters
    ----------
    title
        What is done.
    inputs
        The steps whose results it takes.
    size
        Of its result over all ranks, measured or estimated.
    sent
        Bytes that go from one rank to another in this step; None for a step on each rank alone.
    """

    title: str
    inputs: Sequence[Step] = ()
    size: Size | None = None
    sent: float | None = None
    number: int | None = field(default=None, repr=False)

    @property
    def reads_files(self) -> bool:
        """Whether the rows come from a scan, with nothing but steps of each rank alone: they can be read again."""
        if self.sent is not None or len(self.inputs) > 1:
            return False
        return self.inputs[0].reads_files if self.inputs else self.title.startswith("SCAN ")


def text(root: Step) -> str:
    """The steps, one a line, each above those whose results it takes; what is taken twice is listed once."""
    taken: dict[int, int] = {}
    for step in _all(root, set()):
        for inner in step.inputs:
            taken[id(inner)] = taken.get(id(inner), 0) + 1
    numbers: dict[int, int] = {}
    return "\n".join(_lines(root, 0, taken, numbers))


def exchanges(root: Step) -> list[Step]:
    """The steps in which rows go from one rank to another, in the order in which they are done."""
    return [step for step in _all(root, set()) if step.sent is not None]


def _all(step: Step, seen: set[int]) -> Iterator[Step]:
    if id(step) in seen:
        return
    seen.add(id(step))
    for inner in step.inputs:
        yield from _all(inner, seen)
    yield step


def _lines(step: Step, depth: int, taken: dict[int, int], numbers: dict[int, int]) -> Iterator[str]:
    shared = taken.get(id(step), 0) > 1
    if id(step) in numbers:
        yield f"{'  ' * depth}[{numbers[id(step)]}] as above"
        return
    mark = ""
    if shared:
        numbers[id(step)] = len(numbers) + 1
        mark = f"[{numbers[id(step)]}] "
    yield f"{'  ' * depth}{mark}{step.title}{_told(step)}"
    for inner in step.inputs:
        yield from _lines(inner, depth + 1, taken, numbers)


def _told(step: Step) -> str:
    told = []
    if step.sent is not None:
        told.append(f"sends {amount(step.sent)}")
    if step.size is not None:
        told.append(f"{'' if step.size.measured else '~'}{step.size.rows:.0f} rows")
    return f"  ({', '.join(told)})" if told else ""


def amount(count: float) -> str:
    """Bytes as a person reads them."""
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:.0f} B"


def described(root: Node, cuts: Mapping[int, Cut] | None = None) -> str:
    """A text of a plan, and of where its sources are cut, to be compared between ranks."""
    cuts, order = cuts or {}, {id(node): number for number, node in enumerate(bottom_up(root))}
    return "; ".join(
        f"{order[id(node)]} {node.title} of {[order[id(input)] for input in node.inputs]}"
        + (f" by {cuts[id(node)]}" if id(node) in cuts else "")
        for node in bottom_up(root)
    )
