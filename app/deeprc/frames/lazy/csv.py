"""Rows from CSV files, dealt to the ranks by bytes: every rank reads its part of the text alone."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from deeprc.core.errors import InputError, nearest
from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator
from deeprc.frames.io import _read_file
from deeprc.frames.lazy.changed import Look, check, look
from deeprc.frames.lazy.deal import DEALT, ONE, Deal, Size
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.lines import BOM, LINE, LinesOfFile, line_end, names_end, text_of
from deeprc.frames.lazy.listing import apart, listed, typed
from deeprc.frames.lazy.ranks import Ranks
from deeprc.frames.remote.location import Remote, scan

OPTIONS = ("separator", "quote_char", "null_values", "has_header", "schema_overrides", "infer_schema_length")
Part = tuple[int, int, int]  # file, first byte, byte after the last one


@dataclass(frozen=True, eq=False)
class Text:
    """CSV files to be read.

    Parameters
    ----------
    files, starts, ends
        The files, and where the rows begin and end in each: after the line of names.
    options
        Polars' own, by which all files are read.
    line
        Bytes of a line, about.
    head
        The line of names: before each part of a file, so that none is read by its own first line.
    looks
        What the files were when their first lines were read.
    values
        A row per file: the columns in the names of its folders.
    """

    path: str
    schema: pl.Schema
    files: tuple[Path | Remote, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    options: Mapping[str, Any]
    line: float
    head: bytes
    looks: tuple[Look, ...]
    values: pl.DataFrame

    @property
    def title(self) -> str:
        return f"SCAN {self.path}" + (f" ({len(self.files)} files)" if self.values.width else "")

    @property
    def parted(self) -> list[str]:
        """The columns that are the same in all rows of a file: by a predicate on these alone whole files fall away."""
        return self.values.columns

    def where(self, predicate: pl.Expr) -> Text:
        """The files whose rows fulfil a predicate on the columns in the names of folders."""
        kept = self.values.select(predicate.fill_null(False).alias("kept"))["kept"].to_list()
        listed = self.files, self.starts, self.ends, self.looks
        files, starts, ends, looks = (tuple(itertools.compress(each, kept)) for each in listed)
        values = self.values.filter(pl.Series(kept, dtype=pl.Boolean))
        return replace(self, files=files, starts=starts, ends=ends, looks=looks, values=values)

    def size(self, columns: Sequence[str]) -> Size:
        """Of the text."""
        return Size(sum(np.subtract(self.ends, self.starts).tolist()) / self.line, self.line)

    def share(self, columns: Sequence[str], ranks: Ranks) -> tuple[pl.LazyFrame, Deal, Size]:
        """This rank's rows, as text until they are asked for; where all of them are, and their size.

        Where they have no room in memory, neither has the text: it is read piece by piece then, each time.
        """
        size = self.size(columns)
        deal = Deal(ONE if ranks.size == 1 else DEALT)
        if not ranks.real:
            return empty({name: self.schema[name] for name in columns}), deal, size
        with ranks.comm.together():
            mine = self._parts(ranks.comm.rank, ranks.size)
            read = self._pieces if ranks.spills(size) else self._whole
            texts = {part: read(part) for part in mine}
            quote = str(self.options.get("quote_char", '"') or "").encode()
            quoted = {part[0] for part, text in texts.items() if quote and any(quote in piece for piece in text)}
        if ranks.size > 1:
            # A line's end between quotes ends no row: a file with quotes is read by one rank, from its beginning.
            unsure = set().union(*ranks.comm.allgather(quoted))
            with ranks.comm.together():
                texts = self._without(texts, unsure, ranks)
        scans = [self._scan(part, text) for part, text in sorted(texts.items())]
        # Not the texts themselves: they go when their rows are made.
        reads = [(part, self._whole if isinstance(text, list) else self._pieces) for part, text in texts.items()]
        ranks.suspects.append(lambda _: self._look(reads, columns))
        return (pl.concat(scans) if scans else empty(self.schema)).select(columns), deal, size

    def _parts(self, rank: int, ranks: int) -> list[Part]:
        """The bytes of a rank, from line to line: about as many as every other rank has, in order."""
        total, before, mine = sum(b - a for a, b in zip(self.starts, self.ends, strict=True)), 0, []
        first, last = total * rank // ranks, total * (rank + 1) // ranks
        for file, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            low, high = max(first - before, 0), min(last - before, end - start)
            before += end - start
            if low < high:
                low, high = (line_end(self.files[file], start + at, start, end) for at in (low, high))
                mine.append((file, low, high))
        return [part for part in mine if part[1] < part[2]]

    def _whole(self, part: Part) -> list[bytes]:
        text = _read_file(text_of, self.files[part[0]], *part[1:])
        check([self.files[part[0]]], [self.looks[part[0]]])
        return [text]

    def _pieces(self, part: Part) -> LinesOfFile:
        return LinesOfFile(self.files[part[0]], *part[1:], self.looks[part[0]])

    def _without(self, texts: dict[Part, Read], unsure: set[int], ranks: Ranks) -> dict[Part, Read]:
        kept = {part: text for part, text in texts.items() if part[0] not in unsure}
        for file in unsure:
            # The first rank that has a part of it, so that rows keep their order.
            owner = next(rank for rank in range(ranks.size) if any(p[0] == file for p in self._parts(rank, ranks.size)))
            if owner == ranks.comm.rank:
                part = (file, self.starts[file], self.ends[file])
                kept[part] = self._whole(part)  # where a piece of it may be cut, nobody knows
        return kept

    def _look(self, reads: Sequence[tuple[Part, Callable[[Part], Read]]], columns: Sequence[str]) -> None:
        """Find the file of these that cannot be read; it was read in pieces, whose errors name neither it nor its line.

        Raises
        ------
        InputError
            When there is one.
        """
        for part, read in sorted(reads, key=lambda one: one[0]):
            for piece in read(part):
                try:
                    self._scan(part, [piece]).select(columns).collect()
                except pl.exceptions.ComputeError as error:
                    raise _trouble(str(error), self.files[part[0]], self._stored()) from error

    def _stored(self) -> pl.Schema:
        """The columns that stand in the files."""
        return pl.Schema({name: kind for name, kind in self.schema.items() if name not in self.parted})

    def _scan(self, part: Part, text: Read) -> pl.LazyFrame:
        plain = {
            name: value for name, value in self.options.items() if name in ("separator", "quote_char", "null_values")
        }

        stored = self._stored()
        folders = [pl.lit(values[part[0]], dtype=values.dtype).alias(values.name) for values in self.values]

        def read(piece: bytes) -> pl.LazyFrame:
            text = io.BytesIO(self.head + piece)
            return pl.scan_csv(text, has_header=True, schema=stored, **plain).with_columns(folders)

        if isinstance(text, list):
            return read(text[0])

        def batches(
            columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            left, wanted = rows, columns or self.schema.names()
            needed = [] if predicate is None else predicate.meta.root_names()
            for piece in text:
                found = read(piece).head(len(piece) if left is None else left)
                rows_of = found.select(list(dict.fromkeys([*wanted, *needed]))).collect()
                yield (rows_of if predicate is None else rows_of.filter(predicate)).select(wanted)
                left = None if left is None else left - rows_of.height
                if left is not None and left <= 0:
                    return

        return register_io_source(batches, schema=self.schema)


Read = list[bytes] | LinesOfFile


def text(path: str | Path, options: Mapping[str, Any], comm: Communicator) -> Text:
    """The CSV files that a path means; rank 0 looks at the first lines.

    Raises
    ------
    InputError
        On every rank, when there is no such file, the first line of one differs, or an option is not known.
    """
    with comm.together("scan_csv") as same:
        same[ARGUMENTS] = f"scan_csv({str(path)!r}, {dict(options)})"
        for name in options:
            if name not in OPTIONS:
                guess = nearest(name, OPTIONS)
                raise InputError(
                    f"scan_csv has no option {name!r}",
                    expected=", ".join(OPTIONS),
                    fix=f"did you mean {guess!r}?" if guess else None,
                )
        found = _looked_at(path, options) if comm.rank == 0 else None
    return comm.bcast(found)


def _looked_at(path: str | Path, options: Mapping[str, Any]) -> Text:
    listing, header = listed(path, "*.csv"), options.get("has_header", True)
    files = listing.files
    schema = _read_file(lambda file: scan(partial(pl.scan_csv, **options), [file]).collect_schema(), files[0])
    starts, ends, heads, looks = [], [], [], []
    for file in files:
        looks.append(_read_file(look, file))
        size = looks[-1].size
        first = len(BOM) if _read_file(text_of, file, 0, len(BOM)) == BOM else 0
        start = names_end(file, first, size) if header else first
        heads.append(text_of(file, first, start).strip(b"\r\n"))
        if heads[-1] != heads[0]:
            found, expected = (head.decode(errors="replace") for head in (heads[-1], heads[0]))
            raise InputError(
                "the names of the columns differ from those of the first file",
                where=file,
                found=found,
                expected=f"{expected} ({files[0]})",
            )
        starts.append(start)
        ends.append(size)
    quote = options.get("quote_char", '"')
    if quote and heads[0].count(quote.encode()) % 2:
        raise InputError(
            "a name of a column goes over several lines", where=files[0], found=heads[0].decode(errors="replace")
        )
    head = heads[0] if header else options.get("separator", ",").join(schema.names()).encode()
    sample = text_of(files[0], starts[0], min(ends[0], starts[0] + LINE))
    line = len(sample) / max(sample.count(b"\n"), 1) if sample else 1.0
    values = listing.values.with_columns(typed(texts, {None}) for texts in listing.values)
    apart(schema, values.columns, files[0])
    schema = pl.Schema({**schema, **values.schema})
    places, options, head = (tuple(starts), tuple(ends)), dict(options), head + b"\n"
    return Text(str(path), schema, files, *places, options, line, head, tuple(looks), values)


def _trouble(said: str, file: Path | Remote, schema: pl.Schema) -> InputError:
    """Polars' words for a text that it cannot read, as one of ours: it names options that `scan_csv` has not."""
    if value := re.search(r"could not parse `(.*)` as dtype `\w+` at column '(.*)' \(column", said, re.DOTALL):
        return InputError(
            f"scan_csv: a value of column {value[2]!r} is not of the type that its first lines have",
            where=file,
            found=value[1],
            expected=schema.get(value[2]),
            fix=f"schema_overrides={{{value[2]!r}: pl.String}}, null_values=[{value[1]!r}] where it means none, or a "
            "larger infer_schema_length",
        )
    if "found more fields" in said:
        return InputError(
            "scan_csv: a line has more fields than there are columns",
            where=file,
            expected=f"at most {len(schema)}: {', '.join(schema)}",
            fix="mend the line, or give the separator= and the quote_char= of the file",
        )
    return InputError(f"scan_csv: {said.splitlines()[0]}", where=file)
