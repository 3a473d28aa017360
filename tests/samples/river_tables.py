"""Tables of rivers as people write them, and what `check` says of them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from deeprc.applications.hydrology.check import check_basin
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets import open_dataset

START = date(2001, 1, 1)
COLUMNS = {"date": "Datum", "discharge": "Abfluss", "rain": "Niederschlag [mm]", "tmean": "T"}


def config(**options) -> DataConfig:
    own = {"dataset": "csv", "columns": COLUMNS, "discharge_unit": "m3/s", "areas": {"weser": 86.4}, "window": 5}
    return DataConfig(**{**own, **options})


def rows(days: int = 60) -> list[dict[str, str]]:
    """A small river: 1 m3/s over 86.4 km2 is 1 mm a day."""
    return [
        {
            "Datum": str(START + timedelta(i)),
            "Niederschlag [mm]": f"{2 + i % 3}",
            "T": f"{i % 7}.5",
            "Abfluss": f"{1 + i % 5 / 10:.1f}",
        }
        for i in range(days)
    ]


def write(path: Path, table: list[dict[str, str]], separator: str = ",") -> Path:
    lines = [separator.join(table[0]), *(separator.join(row.values()) for row in table)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def checked(tmp_path: Path, table: list[dict[str, str]], *, name: str = "weser.csv", separator: str = ",", **options):
    data = open_dataset(config(**options), [write(tmp_path / name, table, separator)])
    return check_basin(data, data.basins[0], config(**options))


def edited(**columns):
    """60 days, each column that is named changed by its function of row number and value."""
    return [
        {name: columns[name](i, value) if name in columns else value for name, value in row.items()}
        for i, row in enumerate(rows())
    ]
