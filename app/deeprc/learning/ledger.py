"""The ledger of a training: which sample went into which step, written down where it was used, not where planned.

Each rank notes what it has computed gradients of. What a kill has made undone is not in it: notes are saved with the
weights that they describe, in one commit, and a training that goes on from a checkpoint goes on with its notes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.core.errors import InputError
from deeprc.core.files import atomic
from deeprc.learning.peers import Peers

NAME = "ledger.parquet"
MAKE_ANEW = "take it from a copy; or remove the model's folder and start the workflow again, which trains it anew"
SCHEMA = pa.schema([("epoch", pa.int32()), ("step", pa.int32()), ("shard", pa.int16()), ("row", pa.int64())])


class Ledger:
    """The notes of a training in parts, each of which a checkpoint has vouched for.

    Parameters
    ----------
    folder
        Where the parts are written; without one, nothing is noted.
    """

    def __init__(self, folder: Path | None, peers: Peers) -> None:
        self.folder, self.peers = folder, peers
        self.parts: list[str] = []
        self._notes: list[tuple[np.ndarray, ...]] = []

    def note(self, epoch: np.ndarray, step: int, shard: int, rows: np.ndarray) -> None:
        """`rows` [n] of the data, of these epochs [n], went into the gradient of a step (from 1)."""
        if self.folder is None:
            return
        same = np.ones(len(rows), np.int64)
        self._notes.append((epoch, step * same, shard * same, rows))

    def close_part(self) -> None:
        """Write what all ranks have noted since the last part; every rank calls it."""
        mine = [np.concatenate(column) for column in zip(*self._notes, strict=True)] or [[]] * len(SCHEMA)
        notes = np.concatenate(self.peers.allgather(np.array(mine, np.int64)), axis=1)
        self._notes = []
        if not notes.size:
            return
        notes = notes[:, np.lexsort((notes[2], notes[1]))]  # stable: rows of a shard stay as they were dealt
        self.parts.append(f"steps-{notes[1][0]:08d}-{notes[1][-1]:08d}.parquet")
        if self.peers.rank == 0:
            columns = [pa.array(column).cast(field.type) for column, field in zip(notes, SCHEMA, strict=True)]
            with atomic(self.folder / self.parts[-1]) as temporary:
                pq.write_table(pa.table(columns, SCHEMA), temporary, compression="zstd")

    def load(self, parts: list[str]) -> None:
        """Go on after the parts of a checkpoint; what was written after it describes steps that are undone."""
        self.parts, self._notes = list(parts), []
        if self.peers.rank == 0:
            for path in self.folder.glob("steps-*.parquet"):
                if path.name not in self.parts:
                    path.unlink()

    def join(self, path: Path) -> None:
        """Write all parts as one file."""
        with atomic(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
            for name in self.parts:
                writer.write_table(read(self.folder / name))


def read(path: Path) -> pa.Table:
    """The table of a ledger, whose columns are those of SCHEMA; see `read_columns`."""
    return read_columns(path, SCHEMA)


def read_columns(path: Path, schema: pa.Schema, **options: Any) -> pa.Table:
    """The table in a Parquet file that a training has written, without a value that is missing.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or has other columns.
    """
    try:
        table = pq.read_table(path, schema=schema, **options)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error
    empty = [name for name, column in zip(schema.names, table.columns, strict=True) if column.null_count]
    if empty:  # so is a column that the file has not got
        raise damaged(path, f"no value in some or all rows of {', '.join(empty)}")
    return table


def damaged(path: Path, said: object, *, expected: str | None = None) -> InputError:
    """The error for a file beside a model that cannot be read."""
    if not path.exists():
        return InputError("this file is missing", where=path, expected=expected, fix=MAKE_ANEW)
    found = f"{path.stat().st_size:,} bytes; {str(said).splitlines()[0]}"
    return InputError("cannot read this file: it is damaged", where=path, found=found, expected=expected, fix=MAKE_ANEW)
