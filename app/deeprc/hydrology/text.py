"""Text tables of daily values, read whole, with the line of every row kept for error messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.errors import InputError, nearest

# How the files at hand write a value that is not there.
MISSING = ("", "nan", "na", "null", "-")


@dataclass(frozen=True)
class Table:
    """The fields of a text file as strings.

    Parameters
    ----------
    path
        The file.
    fields
        One string column per column of the file and `line`, the 1-based line of each row.
    """

    path: Path
    fields: pl.DataFrame

    def column(self, name: str) -> pl.Series:
        """The strings of a column; its name is matched without regard to case.

        Raises
        ------
        InputError
            When there is none of that name; the nearest is offered.
        """
        known = [column for column in self.fields.columns if column != "line"]
        for column in known:
            if column.casefold() == name.casefold():
                return self.fields[column]
        guess = nearest(name, known)
        raise InputError(
            f"column {name!r} is missing",
            where=self.path,
            found=", ".join(known),
            expected=name,
            fix=f"is {guess!r} meant? Rename it to {name!r}" if guess else f"add the column {name!r}",
        )

    def numbers(self, name: str) -> pl.Series:
        """A column as float64, null where the value is missing; `name` is the column's name in the file."""
        raw = self.column(name)
        values = raw.cast(pl.Float64, strict=False)
        values = values.set(values.is_nan(), None)
        bad = (values.is_null() & ~raw.str.to_lowercase().is_in(MISSING)) | values.is_infinite().fill_null(False)
        self._refuse(bad, raw, f"not a number in column {name!r}", "a number, or nothing where it is missing")
        return values

    def dates(self, names: Sequence[str], form: str, example: str) -> pl.Series:
        """The days that the columns `names`, joined by blanks, write in the strftime form `form`."""
        raw = pl.select(pl.concat_str([self.column(name) for name in names], separator=" ")).to_series()
        days = raw.str.to_date(form, strict=False)
        self._refuse(days.is_null(), raw, "cannot read this date", f"a date such as {example}")
        return days.alias("date")

    def refuse_repeated(self, days: pl.Series) -> None:
        """Raise InputError when a day stands in several lines."""
        repeated = pl.DataFrame([days, self.fields["line"]]).filter(days.is_duplicated()).sort("date", "line")
        if repeated.height:
            day = repeated["date"][0]
            lines = [str(line) for line in repeated.filter(pl.col("date") == day)["line"]]
            raise InputError(
                f"the date {day} stands {len(lines)} times",
                where=f"{self.path}:{lines[0]}",
                found=f"lines {', '.join(lines)}; {repeated['date'].n_unique()} dates are repeated in all",
                expected="each date once",
                fix="remove all but one of these lines",
            )

    def _refuse(self, bad: pl.Series, raw: pl.Series, problem: str, expected: str) -> None:
        if bad.any():
            row = bad.arg_max()
            raise InputError(
                problem,
                where=f"{self.path}:{self.fields['line'][row]}",
                found=repr(raw[row]),
                expected=expected,
                fix=f"mend this line ({bad.sum()} such lines in all)",
            )


def lines_of(path: Path) -> list[str]:
    """The lines of a text file.

    Raises
    ------
    InputError
        When the file is absent, unreadable or empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"cannot read this file: {error.strerror}", where=path, fix="check the path") from error
    if not text.strip():
        raise InputError("the file is empty", where=path, expected="a table of daily values")
    return text.splitlines()


def read_table(path: Path, *, separator: str | None, header: int | None = 1, names: Sequence[str] = ()) -> Table:
    """Read a table of strings.

    Parameters
    ----------
    separator
        Between two fields; None: any blanks.
    header
        The 1-based line of the column names (rows begin after it); None: there is none and `names` names them.

    Raises
    ------
    InputError
        For a file that cannot be read, is empty, has no rows, or has a line with another number of fields.
    """
    lines = lines_of(path)
    if header is not None:
        names = _fields(lines[header - 1], separator) if len(lines) >= header else []
    first = (header or 0) + 1
    rows = pl.DataFrame(
        {"line": range(first, len(lines) + 1), "text": lines[first - 1 :]}, schema_overrides={"text": pl.String}
    )
    # A line that begins with # is a comment (the Fulda file keeps its units in one).
    rows = rows.filter(pl.col("text").str.contains(r"^\s*[^#\s]"))
    if not rows.height:
        raise InputError("the file has no rows", where=path, expected="one line per day")
    text = pl.col("text")
    split = text.str.extract_all(r"\S+") if separator is None else text.str.split(separator)
    rows = rows.with_columns(split.alias("parts"))
    odd = rows.filter(pl.col("parts").list.len() != len(names))
    if odd.height:
        raise InputError(
            "wrong number of fields",
            where=f"{path}:{odd['line'][0]}",
            found=f"{len(odd['parts'][0])} fields: {odd['text'][0][:80]!r}",
            expected=f"{len(names)} fields: {', '.join(names)}",
            fix=f"mend this line ({odd.height} such lines in all)",
        )
    columns = [pl.col("parts").list.get(index).str.strip_chars(' "').alias(name) for index, name in enumerate(names)]
    return Table(path, rows.select("line", *columns))


def _fields(line: str, separator: str | None) -> list[str]:
    """The fields of the header line."""
    parts = re.findall(r"\S+", line) if separator is None else line.split(separator)
    return [part.strip(' "') for part in parts]
