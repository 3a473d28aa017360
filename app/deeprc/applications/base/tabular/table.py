"""A table of a file, text or Parquet: each of its columns can be had as text, as numbers or as times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from deeprc.applications.base.tabular.dialect import SEPARATORS, find_separator, split
from deeprc.applications.base.tabular.header import name_all, name_columns, shortened, tidy
from deeprc.applications.base.tabular.numbers import is_missing, proven_decimal, to_numbers
from deeprc.applications.base.tabular.parquet import ParquetColumns
from deeprc.applications.base.tabular.source import begins_as_parquet, read_bytes, text_of
from deeprc.applications.base.tabular.times import Clock, to_times
from deeprc.core.errors import InputError, nearest


@dataclass(frozen=True)
class TableOptions:
    """What is known about a table; everything else is detected.

    Attributes
    ----------
    separator
        Between two fields; " " for any blanks.
    decimal
        The decimal sign, "." or ",".
    missing
        Words and numbers that mean a missing value, beside those that always do (`numbers.MISSING`).
    encoding
        Of the text, as Python calls it.
    names
        Names of the columns, where the file has no line of them.
    header
        The 1-based line of the column names, where lines about the file stand above it.
    time_key
        How the user names the column of the times in the configuration, for advice; empty where that cannot be.
    """

    separator: str | None = None
    decimal: str | None = None
    missing: Sequence[str] = ()
    encoding: str | None = None
    names: Sequence[str] = ()
    header: int | None = None
    time_key: str = ""


@dataclass(frozen=True)
class Table:
    """A table as its file has it.

    Attributes
    ----------
    path
        The file.
    columns
        Names of the columns, blanks around them and ends of lines in them taken out; a column without a name is called
        `column N`, N counted from 1.
    fields
        The columns: strings; or the types of a Parquet file, each read when it is asked for.
    lines
        The 1-based line of each row; None for Parquet.
    unnamed
        The columns that have no name in the file.
    notices
        Sentences about what was found or taken for granted, for the user to read.
    """

    path: Path
    columns: list[str]
    fields: list[pl.Series] | ParquetColumns
    lines: pl.Series | None
    options: TableOptions = TableOptions()
    unnamed: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return self.fields.height if isinstance(self.fields, ParquetColumns) else len(self.fields[0])

    def line(self, row: int) -> int:
        """The 1-based line of a row (in Parquet: the row's number, counted from 1)."""
        return row + 1 if self.lines is None else int(self.lines[row])

    def numbered(self) -> pl.Series:
        """`line`, int64: the line of each row (see `line`)."""
        lines = pl.int_range(1, len(self) + 1, eager=True) if self.lines is None else self.lines.cast(pl.Int64)
        return lines.alias("line")

    def where(self, row: int | None = None, name: str | None = None) -> str:
        """How an error says where it is: the file, the line of a row, the column."""
        place = str(self.path)
        if row is not None:
            place += f", row {row + 1}" if self.lines is None else f":{self.line(row)}"
        return place + (f", column {name!r}" if name is not None else "")

    def find(self, name: str) -> str:
        """The column's name as the file writes it: blanks and, where only one is meant, upper case do not count.

        Raises
        ------
        InputError
            When there is none of that name, or several.
        """
        wanted = tidy(name)
        exact, folded = self._places
        same = exact.get(wanted) or folded.get(wanted.casefold(), [])
        if len(same) == 1:
            return self.columns[same[0]]
        if same:
            raise InputError(
                f"{len(same)} columns are called {name!r}",
                where=self.path,
                found="columns " + ", ".join(str(place + 1) for place in same),
                fix="give each a name of its own in the file",
            )
        guess = nearest(wanted, self.columns)
        raise InputError(
            f"the column {name!r} is missing",
            where=self.path,
            found=shortened(self.columns),
            expected=name,
            fix=f"did you mean {guess!r}?" if guess else "name a column that the file has",
        )

    def raw(self, name: str) -> pl.Series:
        """A column as the file has it: strings, or the type of a Parquet file."""
        return self._column(name)

    def words(self, name: str) -> pl.Series:
        """A column as strings without blanks around them, as they stand there ("NA" may be a name)."""
        column = self._column(name)
        if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
            raise InputError("no words", where=self.where(name=name), found=f"type {column.dtype}")
        return column.cast(pl.String).str.strip_chars()

    def text(self, name: str) -> pl.Series:
        """A column as strings without blanks around them, null where they mean a missing value."""
        text = self.words(name)
        return text.set(is_missing(text, self.options.missing), None)

    def numbers(self, name: str) -> pl.Series:
        """A column as float64, null where the value is missing.

        Raises
        ------
        InputError
            For a field that is not a finite number, with its line, or where the decimal sign cannot be told.
        """
        return to_numbers(self, self.find(name), self._column(name))

    def times(
        self,
        names: str | Sequence[str],
        form: str | None = None,
        zone: str | None = None,
        by: pl.Series | None = None,
    ) -> pl.Series:
        """The times in one column, or in several that make a time together (see `times.to_times`); none is missing.

        Parameters
        ----------
        form
            A strftime form (of all columns with blanks between them), or one of `excel`, `s`, `ms`, `us`, `ns` (numbers
            since 1970); found where it is left out.
        zone
            The zone of local times, such as `Europe/Berlin`: they become UTC, unless days are counted.
        by
            The series of each row, where there are several: in each a local time may stand twice in autumn.

        Returns
        -------
        polars.Series
            µs, without a zone, as in the file: not sorted.
        """
        names = [names] if isinstance(names, str) else list(names)
        clock = Clock(form, zone, by)
        return to_times(self, [self.find(name) for name in names], [self._column(name) for name in names], clock)

    @cached_property
    def decimals(self) -> dict[str, str]:
        """Column -> the decimal sign that its values prove; columns that prove none are not in it."""
        # Of a Parquet file columns of numbers are not read for it: they prove none.
        text = self.fields.is_text if isinstance(self.fields, ParquetColumns) else lambda place: True
        proofs = {name: proven_decimal(self.fields[at]) for at, name in enumerate(self.columns) if text(at)}
        return {name: sign for name, sign in proofs.items() if sign}

    def of_rows(self, mine: pl.Series) -> Table:
        """The rows where `mine` is true, each with its line (in Parquet: its number, counted from 1)."""
        lines = self.lines if self.lines is not None else pl.Series(range(1, len(self) + 1))
        fields = self.fields
        some = fields.where(mine) if isinstance(fields, ParquetColumns) else [one.filter(mine) for one in fields]
        return replace(self, fields=some, lines=lines.filter(mine), notices=list(self.notices))

    @cached_property
    def _places(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Name -> the columns that are called so: exactly, and without regard to case."""
        exact: dict[str, list[int]] = {}
        folded: dict[str, list[int]] = {}
        for place, name in enumerate(self.columns):
            exact.setdefault(name, []).append(place)
            folded.setdefault(name.casefold(), []).append(place)
        return exact, folded

    def _column(self, name: str) -> pl.Series:
        return self.fields[self._places[0][self.find(name)][0]]


def read_table(path: Path, options: TableOptions = TableOptions()) -> Table:
    """Read a file of text whole, and of a Parquet file what it says of its columns.

    Raises
    ------
    InputError
        For a file that is not a table, has no rows, or has a line with too few or too many fields.
    """
    if begins_as_parquet(path):
        fields = ParquetColumns(path)
        columns, unnamed = name_all([tidy(name) for name in fields.names])
        return Table(path, columns, fields, None, options, unnamed)
    data = read_bytes(path)
    text, notices = text_of(data, path, options.encoding)
    separator = options.separator
    if text.startswith("sep=") and text[5:6] == "\n":  # a line that Excel writes for itself
        separator, text = separator or text[4], "#" + text
    if options.header:
        text = "\n".join("#" + line if i < options.header else line for i, line in enumerate(text.split("\n"), 1))
    separator = separator or find_separator(text, path)
    records = split(text, separator, path)
    columns, unnamed, frame, lines, more = name_columns(records, separator, path, options.names)
    if len(columns) == 1 and (others := [mark for mark in SEPARATORS if mark in columns[0]]):
        raise InputError(
            "every line is one single field",
            where=f"{path}:{records.lines[0]}",
            found=repr(columns[0][:80]),
            expected=f"fields with {separator!r} between them",
            fix=f"give the key 'separator': {others[0]!r}" if options.separator else "take the quotes off whole lines",
        )
    return Table(path, columns, frame.get_columns(), lines, options, unnamed, notices + more)
