"""Reading a file on all ranks: the first one says what its columns are, and each makes numbers of its share of them.

Of a Parquet file every rank reads its columns itself, and nobody those that are not used. A text is read by the first
rank, which hands the others their columns: where a row ends can only be told from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeprc.applications.base.tabular import Table, read_table
from deeprc.applications.base.tabular.parquet import ParquetColumns
from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import Converted, Observations, convert, open_file, options_of, read
from deeprc.applications.forecasting.grid import Grid, lay_out
from deeprc.applications.forecasting.learned import learned
from deeprc.core.errors import DeepRCError, InputError

if TYPE_CHECKING:
    from deeprc.frames import Communicator


class PartOfTable(Table):
    """Some of the columns of a text."""

    @property
    def decimals(self) -> dict[str, str]:
        """Known to the rank that has all columns, which then reads this one."""
        raise InputError("the other columns are not here", where=self.path)


def read_dealt(path: Path, config: DataConfig, comm: Communicator) -> tuple[Observations, Grid]:
    """What a file says, and its grid, on all ranks; the rows are the first rank's. Every rank calls it.

    The result, and what is said of a file that cannot be read, are those of `read` and `lay_out` on one rank: a column
    that another rank cannot make numbers of is read again by the first one.
    """
    opened = _of_first(comm, lambda: open_file(path, config))
    converted = _converted(opened, path, config, comm) if comm.size > 1 else {}

    def finish() -> tuple[Observations, Grid]:
        found = read(path, config, opened, converted)
        grid = lay_out(found, config, path)
        return learned(found, grid, config, path), grid

    done = _of_first(comm, finish)
    told = comm.bcast(done and (replace(done[0], frame=done[0].frame.clear()), done[1]))
    return done or told


def _converted(opened: tuple | None, path: Path, config: DataConfig, comm: Communicator) -> dict[str, Converted]:
    """On the first rank, the numbers of the covariates that ranks could read by themselves, by column."""
    table, roles = opened or (None, None)
    names, is_parquet = comm.bcast(opened and (roles.covariates, isinstance(table.fields, ParquetColumns)))
    mine = names[comm.rank :: comm.size]
    if is_parquet:
        part = _or_none(lambda: read_table(path, options_of(config))) if table is None else table
    else:
        shares = None
        if table is not None:
            dealt = [names[rank :: comm.size] for rank in range(comm.size)]
            shares = [[table.raw(name).rechunk() for name in share] for share in dealt]
        part = PartOfTable(path, mine, comm.scatter(shares), None, options_of(config))
    found = {} if part is None else convert(part, mine, config)
    everything = comm.gather(found)
    return {name: one for share in everything or () for name, one in share.items()}


def _of_first(comm: Communicator, work: Callable[[], Any]) -> Any:
    """What `work` gives on the first rank, None on the others; where it fails, its error is that of all."""
    failure, found = None, None
    if comm.rank == 0:
        try:
            found = work()
        except Exception as error:
            failure = error
    told = failure and (
        type(failure) if isinstance(failure, DeepRCError) else DeepRCError,
        str(failure) or repr(failure),
    )
    heard = comm.bcast(told)
    if failure is not None:
        raise failure
    if heard:
        kind, text = heard
        raise kind(text)
    return found


def _or_none(work: Callable[[], Any]) -> Any:
    """What `work` gives; None where this rank cannot read what the first one has read."""
    try:
        return work()
    except DeepRCError:
        return None
