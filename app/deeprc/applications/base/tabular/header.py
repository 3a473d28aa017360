"""From the rows of a text to named columns: the line of the names, and whether every row has a field for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from deeprc.applications.base.tabular.dialect import Records
from deeprc.core.errors import InputError

_VALUE = re.compile(r"[-+−]?[\d.,:/ TZ-]*\d[\d.,:/ TZeE%+-]*")  # a number or a time, and no name


def tidy(name: str) -> str:
    """A column's name without blanks around it, and one blank for any inside."""
    return " ".join(name.split())


def shortened(names: Sequence[str], most: int = 20) -> str:
    """Names with commas between them; of very many only the first."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def name_columns(
    records: Records, separator: str, path: Path, names: Sequence[str] = ()
) -> tuple[list[str], list[str], pl.DataFrame, pl.Series, list[str]]:
    """Names, those of them that the file does not give, the columns, the line of each row, and notices.

    Raises
    ------
    InputError
        Where there are no names or no rows, or a row has too few or too many fields.
    """
    fields, lines, counts = records.fields, records.lines, records.counts
    if not len(lines):
        raise InputError("the file has no rows", where=path, expected="a line of column names, and rows")
    if not names:
        names = [tidy(str(name)) for name in fields.row(0)[: counts[0]]]
        if all(_VALUE.fullmatch(name) for name in names if name):
            raise InputError(
                "there is no line of column names",
                where=f"{path}:{lines[0]}",
                found=shortened(names),
                expected="a name for each column",
                fix="add a first line of names (without # before it)",
            )
        fields, lines, counts = fields[1:], lines[1:], counts[1:]
    if not len(lines):
        raise InputError("the file has a header and no rows", where=path)
    names, fields, counts = _same_width(list(names), fields, counts, separator)
    _refuse_odd(names, fields, counts, lines, separator, path)
    fields = fields[:, : len(names)]
    notices = []
    empty = fields.select(pl.all_horizontal((pl.all().is_null()) | (pl.all() == ""))).to_series()
    again = _all_equal(fields, names)
    for drop, what in ((empty, "no value at all"), (again, "the names of the columns again")):
        if drop.any():
            notices.append(f"lines with {what}, left out: {_numbers(lines.filter(drop))}")
    keep = ~(empty | again)
    fields, lines = fields.filter(keep), lines.filter(keep)
    if not len(lines):
        raise InputError("the file has a header and no rows", where=path)
    return *name_all(names), fields, lines, notices


def name_all(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names with `column N` for each that is empty, and which these are."""
    shown = [name or _free(f"column {i}", names) for i, name in enumerate(names, 1)]
    return shown, [new for new, old in zip(shown, names, strict=True) if not old]


def _same_width(
    names: list[str], fields: pl.DataFrame, counts: pl.Series, separator: str
) -> tuple[list[str], pl.DataFrame, pl.Series]:
    """Without separators at the ends of lines, which begin a column of nothing; with a name for R's row numbers."""

    def nothing(column: int) -> bool:
        return column >= fields.width or not (fields[:, column].fill_null("").str.strip_chars() != "").any()

    while len(names) > 1 and not names[-1] and nothing(len(names) - 1):
        names = names[:-1]
    width = len(names)
    if fields.width > width and all(nothing(column) for column in range(width, fields.width)):
        return names, fields, counts.clip(upper_bound=width)
    if separator != "," and (counts == width + 1).all():
        first = fields[:, 0].cast(pl.Int64, strict=False)
        if first.null_count() == 0 and first[0] in (0, 1) and (first.diff().drop_nulls() == 1).all():
            return ["", *names], fields, counts
    return names, fields, counts


def _refuse_odd(
    names: list[str], fields: pl.DataFrame, counts: pl.Series, lines: pl.Series, separator: str, path: Path
) -> None:
    odd = (counts != len(names)).arg_true()
    if not len(odd):
        return
    row = int(odd[0])
    most = int(counts.mode().min())
    many = f" ({len(odd)} such lines in all)" if len(odd) > 1 else ""
    text = separator.join(value or "" for value in fields.row(row)[: counts[row]])
    if counts[row] < len(names):
        fix = f"complete this line; a missing value is an empty field or NA{many}"
    elif separator == "," and most > len(names) > 1:
        fix = "numbers with decimal commas need another separator, such as ; (or quotes around each)"
    else:
        fix = f"put a field that holds the separator into quotes{many}"
    if most != len(names) and len(odd) > 0.8 * len(counts) and not (separator == "," and most > len(names) > 1):
        fix = f"if line {lines[0] - 1} does not hold the names, put # before it and all lines above the names"
    raise InputError(
        "wrong number of fields",
        where=f"{path}:{lines[row]}",
        found=f"{counts[row]} fields: {text[:80]!r}",
        expected=f"{len(names)} fields with {'blanks' if separator == ' ' else repr(separator)} between them: "
        + shortened(names),
        fix=fix,
    )


def _all_equal(fields: pl.DataFrame, names: list[str]) -> pl.Series:
    """The rows that say the names again: looked for by the first column alone, then by all."""
    first = fields[:, 0].fill_null("").str.strip_chars()
    again = first == names[0]
    for row in again.arg_true().to_list():
        again[row] = [tidy(value or "") for value in fields.row(row)] == names
    return again


def _numbers(lines: pl.Series) -> str:
    shown = ", ".join(str(line) for line in lines[:5])
    return shown + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "'"
    return name
