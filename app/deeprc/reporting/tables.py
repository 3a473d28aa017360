"""The tables of the page as data, for its links and for files beside it: read from the page, so that all say the same.

A cell with a figure carries it whole (`data-value`), whatever few digits it shows; a dash is nothing.
"""

from __future__ import annotations

import base64
import html
import re
import shutil
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import polars as pl

from deeprc.core.files import write_text
from deeprc.reporting.words import NONE

FOLDER = "tables"
MOST = 5_000_000  # rows of predictions that are written as text
SHOWN = re.compile(r'<div class="scroll" role="region" aria-label="([^"]*)"[^>]*>(.*?</table>)', re.DOTALL)
LINKED = re.compile(SHOWN.pattern + r'(.*?href=")data:text/csv[^"]*', re.DOTALL)
Cell = str | int | float | None


class _Rows(HTMLParser):
    """The cells of a table; what is hidden from screen readers is no text of a cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, dict]]] = []
        self._words: list[str] | None = None
        self._hidden: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self._words, self._told = [], told
        elif self._hidden or told.get("aria-hidden") == "true":
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        elif tag in ("th", "td") and self._words is not None:
            self.rows[-1].append((" ".join("".join(self._words).split()), self._told))
            self._words = None

    def handle_data(self, data: str) -> None:
        if self._words is not None and not self._hidden:
            self._words.append(data)


def frame(table: str) -> pl.DataFrame:
    """A table of the page, its columns named by their keys where headings have some."""
    head, *rows = _Rows(table).rows
    names: list[str] = []
    for text, told in head:
        name = told.get("data-key") or text
        again = sum(each == name or each.startswith(f"{name} (") for each in names)
        names.append(f"{name} ({again + 1})" if again else name)
    cells = [[_cell(*cell) for cell in row] for row in rows]
    columns = [pl.Series(name, _alike([row[at] for row in cells]), strict=False) for at, name in enumerate(names)]
    return pl.DataFrame(columns)


def link(table: str) -> str:
    """A table as an address that holds it as CSV: no server is asked, and no script is needed."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(frame(table).write_csv().encode()).decode()


def relinked(page: str) -> str:
    """A page whose tables were altered, with links that hold them as they are now."""
    return LINKED.sub(lambda found: f"{found[0][: found.end(3) - found.start()]}{link(found[2])}", page)


def file_name(label: str) -> str:
    """What the file of a table is called: `models` of `Table of the models`."""
    words = re.findall(r"[a-z0-9]+", label.lower().removeprefix("table of "))
    return "-".join(words[words[:1] == ["the"] :]) or "table"


def shown(page: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The tables of a page, each with the name of its file."""
    names: list[str] = []
    for label, table in SHOWN.findall(page[: page.find("</footer>")]):
        name = file_name(html.unescape(label))
        again = sum(re.fullmatch(rf"{name}(-\d+)?", each) is not None for each in names)
        names.append(f"{name}-{again + 1}" if again else name)
        yield names[-1], frame(table)


def write(page: str, more: Mapping[str, pl.DataFrame], folder: Path) -> list[str]:
    """Write the page's tables as CSV and Parquet, and `more` of what has files already as CSV, into `folder`, anew.

    Returns
    -------
    list of str
        The names of those that are too long for that.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, table in shown(page):
        write_text(folder / f"{name}.csv", table.write_csv())
        table.write_parquet(folder / f"{name}.parquet")
    long = [name for name, table in more.items() if table.height > MOST]
    for name, table in more.items():
        if name not in long:
            table.write_csv(folder / f"{name}.csv")
    return long


def _cell(text: str, told: dict) -> Cell:
    value = told.get("data-value")
    if value is None:
        return None if text in ("", NONE) else text
    if not value:
        return None
    return int(value) if re.fullmatch(r"-?\d+", value) else float(value)


def _alike(cells: list[Cell]) -> list[Cell]:
    """Values of one kind: whole numbers among others are such numbers, too; beside texts all are texts."""
    known = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, str) for cell in known):
        return [None if cell is None else str(cell) for cell in cells]
    if any(isinstance(cell, float) for cell in known):
        return [None if cell is None else float(cell) for cell in cells]
    return cells
