"""From a line of a file that a user has given to the steps that it was used in.

`prepare` writes down which line of which file each prepared row was read from. A sample is known by one row, and holds
rows before and after it; so, beside a ledger, the lines tell what each of them has taught.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.core.errors import ConfigError, InputError, unknown
from deeprc.core.files import atomic, read_json, write_json
from deeprc.learning import ledger
from deeprc.learning.mapped import mapped

LINES, FILES = "lines.arrow", "lines.json"  # of prepared data
NAME = "lines.parquet"  # beside a ledger, with FILES
SCHEMA = pa.schema([("row", pa.int64()), ("sample", pa.int64()), ("file", pa.int64()), ("line", pa.int64())])
SHOWN = 10  # steps that a person is told


@dataclass(frozen=True)
class SourceFile:
    """A file that prepared rows were read from.

    Attributes
    ----------
    before, after
        Of the row that a sample is known by, how many rows before it the sample has from this file, and how many from
        that row on.
    """

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Origin:
    """Where prepared rows come from; a row may come from lines of several files.

    Attributes
    ----------
    row
        The prepared row, int64 [lines].
    sample
        The same as samples count: where one holds rows of several series, the row of the first of them [lines].
    file, line
        The number of its file in `files`, and the line (of Parquet: the row), counted from 1 [lines].
    """

    files: Sequence[SourceFile]
    row: np.ndarray
    sample: np.ndarray
    file: np.ndarray
    line: np.ndarray

    @classmethod
    def read(cls, prepared: Path) -> Origin | None:
        """That of prepared data; None where an earlier version has made them."""
        if not (prepared / FILES).is_file():
            return None
        lines, files = mapped(prepared / LINES), read_json(prepared / FILES)
        row, file, line = (lines.column(name) for name in ("row", "file", "line"))
        return cls([SourceFile(**about) for about in files], row, row, file, line)

    def only(self, rows: np.ndarray) -> Origin:
        """That of some prepared rows, with their files alone."""
        mine = np.isin(self.row, rows)
        numbers, file = np.unique(self.file[mine], return_inverse=True)
        files = [self.files[number] for number in numbers]
        return Origin(files, self.row[mine], self.sample[mine], file, self.line[mine])

    def write(self, folder: Path) -> None:
        """Write it beside a ledger."""
        columns = [pa.array(getattr(self, name), pa.int64()) for name in SCHEMA.names]
        with atomic(folder / NAME) as temporary:
            pq.write_table(
                pa.table(columns, SCHEMA), temporary, compression="zstd", use_dictionary=False,
                column_encoding=dict.fromkeys(SCHEMA.names, "DELTA_BINARY_PACKED"),
            )  # fmt: skip
        write_json(folder / FILES, [asdict(file) for file in self.files])


@dataclass(frozen=True)
class Uses:
    """What a training has used a line for.

    Attributes
    ----------
    row
        The prepared row that the line became; None where no row was made of it.
    samples
        The rows by which the samples that hold it and were used are known, increasing, int64.
    steps
        The steps (from 1) whose gradients they went into, increasing, int64.
    epochs
        By epoch (from 0), how often samples with this line were used.
    last
        The last line of the file of which a row was made.
    """

    folder: Path
    file: str
    line: int
    row: int | None
    samples: np.ndarray
    steps: np.ndarray
    epochs: dict[int, int]
    last: int

    def __str__(self) -> str:
        what = f"{self.folder}: line {self.line:,} of {self.file}"
        if self.row is None and self.line > self.last:
            return f"{what}: nothing was made of it: the last line that was used as data is {self.last:,}"
        if self.row is None:
            return f"{what}: nothing was made of it: it is no row of data, repeats another one, or was left out"
        if not len(self.steps):
            return f"{what}: row {self.row:,} of the prepared data, which no step has used"
        steps = ", ".join(f"{step:,}" for step in self.steps[:SHOWN]) + (", …" if len(self.steps) > SHOWN else "")
        often = ", ".join(f"{count:,} in epoch {epoch}" for epoch, count in self.epochs.items())
        held = f"row {self.row:,} of the prepared data, in {_of(len(self.samples), 'sample')}"
        return f"{what}: {held}, used in {_of(len(self.steps), 'step')} ({often}): {steps}"

    def record(self) -> dict:
        """The same as plain values, with all steps."""
        return asdict(self) | {
            "folder": str(self.folder),
            "samples": self.samples.tolist(),
            "steps": self.steps.tolist(),
        }


def uses(folders: Iterable[Path], line: int, name: str | None = None) -> list[Uses]:
    """What trainings have used a line for: of the folders with ledgers those whose data are of that file.

    Parameters
    ----------
    name
        The file's; may be left out where there is only one.

    Raises
    ------
    InputError
        Where no ledger leads to lines.
    ConfigError
        For a file that is none of the trainings', or where it is not said which of several is meant.
    """
    folders = list(folders)
    read = {folder: [file.name for file in _files(folder)] for folder in folders if known(folder)}
    if not read:
        raise InputError(
            "no ledger here leads to the lines of a file", where=folders[0], found=f"no {NAME} beside it",
            expected="a model of a pipeline, trained with this version",
            fix="train it anew; `deeprc audit` without --row works all the same",
        )  # fmt: skip
    names = sorted({file for files in read.values() for file in files})
    if name is None and len(names) > 1:
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        raise ConfigError("a line of which file?", found=f"{len(names)}: {shown}", fix="name it by --file")
    wanted = names[0] if name is None else name if name in names else Path(name).name
    if wanted not in names:
        raise unknown("file", name, names)
    return [_uses(folder, line, wanted) for folder, files in read.items() if wanted in files]


def known(folder: Path) -> bool:
    """Whether a ledger leads to the lines of a file."""
    return (folder / NAME).is_file() and (folder / FILES).is_file()


def _files(folder: Path) -> list[SourceFile]:
    try:
        return [SourceFile(**about) for about in read_json(folder / FILES)]
    except (OSError, ValueError, TypeError) as error:
        raise ledger.damaged(folder / FILES, error, expected="the files that the data were read from") from error


def _uses(folder: Path, line: int, name: str) -> Uses:
    files = _files(folder)
    number = [file.name for file in files].index(name)
    lines = ledger.read_columns(folder / NAME, SCHEMA, filters=[("file", "=", number)])
    every = lines["line"].to_numpy()
    found = lines.filter(pa.array(every == line))
    notes = ledger.read(folder / ledger.NAME)
    rows, mine = notes["row"].to_numpy(), np.zeros(len(notes), bool)
    for row in found["sample"].to_numpy():
        mine |= (rows - files[number].before <= row) & (row < rows + files[number].after)
    epochs, counts = np.unique(notes["epoch"].to_numpy()[mine], return_counts=True)
    return Uses(
        folder, name, line, found["row"][0].as_py() if len(found) else None, np.unique(rows[mine]),
        np.unique(notes["step"].to_numpy()[mine]), dict(zip(epochs.tolist(), counts.tolist(), strict=True)),
        int(every.max()),
    )  # fmt: skip


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("s" if count > 1 else "")
