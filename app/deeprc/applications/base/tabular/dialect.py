"""The fields of a text table: its separator, its rows and the line that each begins in."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import polars as pl

from deeprc.core.errors import InputError

SEPARATORS = "\t;|,"  # a comma last: it may be the sign of decimals
SAMPLE = 500_000  # characters that the separator is found from; every line is held against it afterwards
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_CHUNK = 50_000  # records that are turned into columns at once: as Python's strings they take much memory


@dataclass(frozen=True)
class Records:
    """The rows of a text, as strings.

    Attributes
    ----------
    lines
        The 1-based line that each row begins in [rows].
    fields
        One column of strings per field, called 0, 1, …; null where a row has fewer fields [rows, widest row].
    counts
        How many fields each row has [rows].
    """

    lines: pl.Series
    fields: pl.DataFrame
    counts: pl.Series


def find_separator(text: str, path: Path) -> str:
    """The character between the fields: the one that all rows hold as often as the line of the names does.

    " " stands for any blanks; "," is the answer too where there is but one column.

    Raises
    ------
    InputError
        Where two are possible.
    """
    sample = _QUOTED.sub("q", text[:SAMPLE])
    lines = [line for line in sample.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if len(text) > SAMPLE and len(lines) > 2:
        del lines[-1]  # it may be cut
    if not lines:
        return ","
    head, rows = lines[0], lines[1:] or lines
    shares: dict[str, float] = {}
    for mark in SEPARATORS:
        count, same = Counter(line.count(mark) for line in rows).most_common(1)[0]
        if count:
            shares[mark] = same / len(rows) + (head.count(mark) == count)
    best = [mark for mark in shares if shares[mark] == max(shares.values()) and shares[mark] > 0.5]
    if len(best) > 1 and "," in best:
        best.remove(",")  # the comma of decimals, then, and one in a name
    if len(best) > 1:
        raise InputError(
            "the separator cannot be told: several are possible",
            where=path,
            found=" or ".join(map(repr, best)),
            fix="name it by the key 'separator'",
        )
    width = len(head.split())
    if not any(mark in head for mark in SEPARATORS) and width > 1:
        blanks = sum(len(row.split()) - width in (0, 1) for row in rows) / len(rows)
        if blanks > 0.5 and not (best and shares[best[0]] > 1):
            return " "
    return best[0] if best else next((mark for mark in SEPARATORS if mark in head), ",")


def split(text: str, separator: str, path: Path) -> Records:
    """The rows of `text`; empty lines and those that begin with # are left out."""
    if '"' in text:
        return _quoted(text, separator, path)
    lines = pl.DataFrame({"text": pl.Series(text.split("\n"))}).with_row_index("line", offset=1)
    rows = lines.filter(pl.col("text").str.contains(r"^\s*[^#\s]"))
    if separator == " ":
        squeezed = pl.col("text").str.strip_chars().str.replace_all(r"\s+", " ")
        rows = rows.with_columns(squeezed.alias("text"))
    counts = rows["text"].str.count_matches(separator, literal=True) + 1
    width = int(counts.max() or 1)
    fields = rows["text"].str.split_exact(separator, width - 1).struct.unnest()
    fields.columns = [str(i) for i in range(width)]
    return Records(rows["line"], fields, counts)


def _quoted(text: str, separator: str, path: Path) -> Records:
    """As `split`, for a text with quotes: a field may hold the separator, and the end of a line."""
    start, inside = 1, False

    def feed() -> Iterator[str]:
        nonlocal start, inside
        for number, line in enumerate(text.split("\n"), 1):
            if not inside:
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                start, inside = number, True
            yield (line.strip() if separator == " " else line) + "\n"

    reader = csv.reader(feed(), delimiter=separator, skipinitialspace=True, strict=True)
    lines, counts, chunk, parts = [], [], [], []
    try:
        for record in reader:
            inside = False
            lines.append(start), counts.append(len(record)), chunk.append(record)
            if len(chunk) == _CHUNK:
                parts.append(_columns(chunk))
                chunk = []
    except csv.Error as error:
        raise InputError(
            "the quotes do not close as they should",
            where=f"{path}:{start}",
            found=str(error),
            expected='the separator behind a field in quotes, and a quote inside one doubled ("")',
            fix="mend the quotes of this line",
        ) from None
    parts.append(_columns(chunk))
    return Records(pl.Series(lines), pl.concat(parts, how="diagonal"), pl.Series(counts, dtype=pl.UInt32))


def _columns(records: list[list[str]]) -> pl.DataFrame:
    return pl.DataFrame({str(i): pl.Series(column, dtype=pl.String) for i, column in enumerate(zip_longest(*records))})
