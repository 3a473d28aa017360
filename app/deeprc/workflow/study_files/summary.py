"""Every figure in metrics.json as a row of a table: `summary.py METRICS DIGITS OUT`."""

import csv
import json
import sys
from pathlib import Path


def figures(value, *names):
    """The numbers in `value`, each with the names of the keys that lead to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from figures(inner, *names, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield ".".join(names), value


metrics, digits, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
with out.open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["figure", "value"])
    for name, value in figures(json.loads(metrics.read_text())):
        table.writerow([name, f"{value:.{digits}g}"])
