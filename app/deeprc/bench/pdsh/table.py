"""A table of queries beside another engine: `python -m deeprc.bench.pdsh.table FILE`, of what `--output` wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def table(figures: dict) -> str:
    """The ratio of each query in Markdown: the median, and the quartiles; the worst last."""
    rows = sorted(figures["queries"], key=lambda row: row["ratio"]["median"])
    cells = [f"q{row['query']} {_ratio(row['ratio'])}" for row in rows]
    mean = figures["geometric_mean_ratio"]
    head = (
        f"Geometric mean {mean:.2f}, all right" if all(row["right"] for row in rows) else f"Geometric mean {mean:.2f}"
    )
    return f"{head}; median (quartiles): " + ", ".join(cells) + "."


def _ratio(ratio: dict) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text())))
