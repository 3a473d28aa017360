"""How a sort would scale to ranks that are not here: counted messages, and a cost model fitted to measured times.

`python -m deeprc.bench.scaling` prints the table of docs/frames-speed.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deeprc.frames.communicator import PIECE

ROWS, COLUMNS, WIDTH = 3_500_000_000, 2, 8  # of the published sort: a key and a value, of so many bytes each
PER_NODE = 42  # ranks, as there on Summit
# Cylon's strong scaling on Summit: ranks -> seconds (Perera et al., arXiv:2307.01394).
PUBLISHED = {42: 49.8, 336: 6.29, 672: 3.25, 1344: 2.10, 2688: 3.24, 5376: 11.9, 10752: 53.8}
# Ours, CPU time on a core of an AMD EPYC (Zen 4): per row of a sort on one rank; per part, to write it and to read it.
SORT_ROW = 60e-9
PART = 60e-6 + 85e-6
MEMORY = 3e9  # bytes per second and rank, written to the node's memory and read there
NETWORK = 23e9  # bytes per second of a node of Summit: two ports of EDR InfiniBand


@dataclass(frozen=True)
class Count:
    """What all ranks together send by MPI in an exchange: `messages`, and `sent` bytes of rows."""

    messages: int
    sent: float


def direct(ranks: int, size: float, columns: int) -> Count:
    """From every rank to every other one, each column and the counts of rows as a message of its own."""
    return Count(ranks * (ranks - 1) * (columns + 1), size * (ranks - 1) / ranks)


def two_levels(nodes: int, size: float, piece: int = PIECE) -> Count:
    """For every pair of nodes: how much comes, and the rows, in pieces of at most `piece` bytes."""
    pairs = nodes * (nodes - 1)
    between = size / nodes**2
    return Count(round(pairs * (1 + max(1, np.ceil(between / piece)))), size * (nodes - 1) / nodes)


def fitted(published: dict[int, float]) -> tuple[float, float]:
    """`a` and `b` of seconds = a / ranks + b · ranks², by least squares of the relative errors.

    The second term is a cost of each of the ranks² messages of an exchange from rank to rank.
    """
    ranks, seconds = np.array(list(published)), np.array(list(published.values()))
    terms = np.stack([1 / ranks, ranks.astype(float) ** 2], axis=1) / seconds[:, None]
    (a, b), *_ = np.linalg.lstsq(terms, np.ones(len(ranks)), rcond=None)
    return float(a), float(b)


def modelled(ranks: int, message: float, rows: int = ROWS, per_node: int = PER_NODE) -> dict[str, float]:
    """Seconds of our sort, by what they go to: rows, parts (one from each rank to each), memory, network, messages.

    Parameters
    ----------
    message
        Seconds that a message of the exchange adds to the whole: Cylon's, from `fitted`.
    rows
        Of the table, over all ranks.
    per_node
        Ranks of a node.
    """
    nodes, size = -(-ranks // per_node), rows * COLUMNS * WIDTH
    count = two_levels(nodes, size)
    return {
        "rows": rows * SORT_ROW / ranks,
        "parts": PART * ranks,
        "memory": 2 * size / ranks / MEMORY,
        "network": count.sent / nodes / NETWORK,
        "messages": message * count.messages,
    }


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """The model beside what is published, in Markdown."""
    a, b = fitted(PUBLISHED)
    size = ROWS * COLUMNS * WIDTH
    head = "ranks", "Cylon, published (s)", "fit of it", "messages from rank to rank", "by pairs of nodes"
    lines = [row(*head, "ours, modelled (s)", "thereof rows", "parts", "messages"), "|---" * 9 + "|"]
    for ranks, seconds in PUBLISHED.items():
        parts = modelled(ranks, b)
        counts = direct(ranks, size, COLUMNS), two_levels(-(-ranks // PER_NODE), size)
        told = [sum(parts.values()), parts["rows"], parts["parts"], parts["messages"]]
        fit = f"{a / ranks + b * ranks**2:.2f}"
        messages = [f"{count.messages:,}" for count in counts]
        lines.append(row(f"{ranks:,}", f"{seconds}", fit, *messages, *(f"{part:.2f}" for part in told)))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
