"""Files whose rows stand in the order of a key: dealt by ranges of it, so that joins and groups on it send nothing.

A footer tells the least and the largest value of every row group. Two tables that are joined on a key by which both are
sorted are cut at the same values of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deeprc.frames.lazy.footers import Range
from deeprc.frames.lazy.nodes import Aggregate, Filter, Node, Project, Slice, Source, Unique, Window, bottom_up, uses
from deeprc.frames.lazy.several import Join, Values
from deeprc.frames.lazy.trees import plain_column

NEAR = 0.05  # of a rank's share: so far from even are the shares for the sake of whole row groups
EVEN = 1.3  # times its share may a rank have

Place = tuple[int, str]  # a source, by its number in the plan, and a column of it


@dataclass(frozen=True)
class Cut:
    """Where a source is cut: see `deal.Deal`."""

    column: str
    borders: tuple[int, ...]

    def of(self, rank: int) -> tuple[int | None, int | None]:
        """The least value of a rank, and the first one that is too large; None where there is no such border."""
        return (
            self.borders[rank - 1] if rank else None,
            self.borders[rank] if rank < len(self.borders) else None,
        )


def cuts(root: Node, ranks: int, ordered: set[int]) -> dict[int, Cut]:
    """The cut of each source that is dealt by ranges, by the id of its node.

    Parameters
    ----------
    ordered
        The nodes whose rows must keep their order.
    """
    if ranks == 1:
        return {}
    # By numbers that are the same on all ranks: ids are addresses, and an order by them another one in each process.
    sources = [node for node in bottom_up(root) if isinstance(node, Source)]
    once = _dealt_anyway(root)
    ranges = {
        number: source.rows.ranges
        for number, source in enumerate(sources)
        if id(source) not in ordered
        and hasattr(source.rows, "ranges")
        and (id(source) in once or not source.rows.small(source.columns, ranks))
    }
    groups = [[place for place in places if place[1] in ranges.get(place[0], ())] for places in _linked(root, sources)]
    # First the keys of several tables, of these first those of the largest tables.
    found: dict[int, Cut] = {}
    for places in sorted(groups, key=lambda places: (len(places) < 2, -sum(sources[s].rows.rows for s, _ in places))):
        free = [place for place in places if place[0] not in found]
        if not free:
            continue
        largest = max(free, key=lambda place: sources[place[0]].rows.rows)
        borders = _borders(*_grouped(sources, largest), ranks)
        for source, column in free:
            if borders and _even(*_grouped(sources, (source, column)), borders, ranks):
                found[source] = Cut(column, borders)
    return {id(sources[number]): cut for number, cut in found.items()}


def overlaps(ranges: Sequence[Range], low: int | None, high: int | None) -> Iterator[tuple[int, bool]]:
    """The row groups that may have values of a range, and whether they can have others, too."""
    for index, (least, most) in enumerate(ranges):
        if (low is None or most >= low) and (high is None or least < high):
            yield index, (low is not None and least < low) or (high is not None and most >= high)


def _dealt_anyway(root: Node) -> set[int]:
    """Sources whose rows are wanted once over all ranks by a join: to read them on every rank would not help."""
    taken, found = uses(root), set()
    for node in bottom_up(root):
        if not isinstance(node, Join):
            continue
        sides = {"left": [node.left], "right": [node.right], "full": [node.left, node.right]}
        for side in sides.get("left" if node.how in ("semi", "anti") else node.how, ()):
            while isinstance(side, Filter | Project) and taken[id(side)] == 1:
                side = side.input
            if isinstance(side, Source) and taken[id(side)] == 1:
                found.add(id(side))
    return found


def _grouped(sources: Sequence[Source], place: Place) -> tuple[Sequence[Range], Sequence[int]]:
    rows = sources[place[0]].rows
    return rows.ranges[place[1]], rows.groups


def _borders(ranges: Sequence[Range], rows: Sequence[int], ranks: int) -> tuple[int, ...] | None:
    """Values that cut the rows into even shares, at the beginning of a row group where one is near."""
    total, before, borders = sum(rows), 0, []
    cut = iter(range(1, ranks))
    wanted = next(cut)
    for (least, most), count in zip(ranges, rows, strict=True):
        while wanted < ranks and before + count >= total * wanted / ranks:
            into = total * wanted / ranks - before
            near = NEAR * total / ranks
            part = 0.0 if into <= near else 1.0 if count - into <= near else into / count
            borders.append(round(least + part * (most + 1 - least)))
            wanted = next(cut, ranks)
        before += count
    return tuple(borders) if len(set(borders)) == ranks - 1 else None


def _even(ranges: Sequence[Range], rows: Sequence[int], borders: tuple[int, ...], ranks: int) -> bool:
    """Whether no rank has much more than its share of the rows."""
    shares, cut = [0.0] * ranks, Cut("", borders)
    for rank in range(ranks):
        low, high = cut.of(rank)
        for (least, most), count in zip(ranges, rows, strict=True):
            begin, end = least if low is None else max(low, least), most + 1 if high is None else min(high, most + 1)
            shares[rank] += count * max(end - begin, 0) / (most + 1 - least)
    return max(shares) <= EVEN * sum(rows) / ranks


def _linked(root: Node, sources: Sequence[Source]) -> list[tuple[Place, ...]]:
    """Columns of sources that are keys of a join or a group; those that are joined with each other are together.

    In an order that depends on the plan alone.
    """
    of: dict[Place, set[Place]] = {}
    traced = _Trace(sources)
    for node in bottom_up(root):
        match node:
            case Join():
                pairs = [
                    (traced.place(node.left, a), traced.place(node.right, b))
                    for a, b in zip(node.left_on, node.right_on, strict=True)
                ]
            case Aggregate():
                pairs = [(traced.place(node, key.name),) for key in node.keys]
            case Unique():
                pairs = [(traced.place(node, name),) for name in node.subset]
            case Window():
                pairs = [(traced.place(node, name),) for name in node.keys]
            case _:
                continue
        for pair in pairs:
            there = [place for place in pair if place is not None]
            together = set(there).union(*(of.get(place, ()) for place in there))
            for place in together:
                of[place] = together
    return sorted({tuple(sorted(places)) for places in of.values()})


class _Trace:
    """Which column of which source a step's column is."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.numbers = {id(source): number for number, source in enumerate(sources)}
        self.known: dict[int, dict[str, Place | None]] = defaultdict(dict)

    def place(self, node: Node, name: str) -> Place | None:
        known = self.known[id(node)]
        if name not in known:
            known[name] = self._place(node, name)
        return known[name]

    def _place(self, node: Node, name: str) -> Place | None:
        match node:
            case Source():
                return self.numbers[id(node)], name
            case Filter() | Slice() | Unique():
                return self.place(node.input, name)
            case Window() | Values():
                return self.place(node.input, name) if name in node.input.columns else None
            case Project():
                below = node.passed.get(name)
                return None if below is None else self.place(node.input, below)
            case Aggregate():
                trees = {key.name: key.tree for key in node.keys}
                below = plain_column(trees[name]) if trees.get(name) is not None else None
                return None if below is None else self.place(node.input, below)
            case Join():
                left, right = node.origins[name]
                return self.place(node.right, right) if left is None else self.place(node.left, left)
        return None
