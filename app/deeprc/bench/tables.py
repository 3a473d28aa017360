"""Tables of the documents from what `--output` wrote: `python -m deeprc.bench.tables FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path


def queries(figures: dict) -> str:
    """The ratio of each query of `bench pdsh`: the median, and the quartiles; the worst last."""
    rows = sorted(figures["queries"], key=lambda row: row["ratio"]["median"])
    cells = [f"q{row['query']} {_ratio(row['ratio'])}" for row in rows]
    mean = f"Geometric mean {figures['geometric_mean_ratio']:.2f}"
    head = f"{mean}, all right" if all(row["right"] for row in rows) else mean
    return f"{head}; median (quartiles): " + ", ".join(cells) + "."


def operations(runs: Sequence[dict]) -> str:
    """What several runs of `bench frames` tell, in Markdown."""
    lines = [
        "| | rows | time of | beside | median (quartiles) | CPU time | most memory of a process, MiB |",
        "|---" * 7 + "|",
    ]
    for run in runs:
        them, cpu = run["against"], f"{run['cpu_ratio']['median']:.2f}"
        memory = f"{run['peak_mb']}, theirs {them['peak_mb']}"
        cells = run["op"], f"{run['rows']:,}", _who(run), _who(them), _ratio(run["ratio"]), cpu, memory
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _who(entrant: dict) -> str:
    return f"{entrant['engine']}, {entrant['ranks']}" + ("" if entrant["keys"] == "int" else f", {entrant['keys']}")


def _ratio(ratio: dict) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


if __name__ == "__main__":
    read = json.loads(Path(sys.argv[1]).read_text())
    print(operations(read) if isinstance(read, list) else queries(read))
