"""A key of nine tenths of the rows: no rank has more than twice the mean of rows and of bytes; run by every rank."""

from __future__ import annotations

import polars as pl
from agreeing import COMM, gathered
from examples import same_rows

from deeprc.frames import Frame
from deeprc.frames.lazy import deal


def main() -> None:
    deal.SPREAD_BYTES = 0  # else the small side goes everywhere, whatever the keys are
    rows, few = 2**17, 5_000
    key = pl.int_range(rows, eager=True)
    many = pl.select(key=pl.when(key % 10 == 0).then(key % few).otherwise(7), value=key, text=pl.lit("x" * 20))
    ones = pl.select(key=pl.int_range(few)).with_columns(other=pl.col("key") * 2)
    for clustered in (False, True):
        mine = many.sort("key") if clustered else many
        mine = mine[rows * COMM.rank // COMM.size : rows * (COMM.rank + 1) // COMM.size]
        frame, other = (
            Frame(mine, COMM),
            Frame(ones[few * COMM.rank // COMM.size : few * (COMM.rank + 1) // COMM.size], COMM),
        )
        lazy = frame.lazy().join(other.lazy(), on="key")
        for found in (
            *(frame.join(other, on="key", how=how) for how in ("inner", "left", "semi")),
            other.join(frame, on="key", how="right"),
            lazy.collect(),
            lazy.group_by("text", "other").len().join(lazy, on="other").collect(),
            frame.sort("key"),
            frame.lazy().sort("key", descending=True).collect(),
        ):
            assert found.rows() == rows
            for share in (found.to_polars().height, found.to_polars().estimated_size()):
                assert max(COMM.allgather(share)) <= 2 * sum(COMM.allgather(share)) / COMM.size, share
        groups = frame.groupby("key").agg({"value": ["sum", "len"]})
        shares = COMM.allgather(groups.to_polars().height)
        assert max(shares) <= 2 * sum(shares) / COMM.size
        expected = many.group_by("key").agg(pl.col("value").sum().alias("value_sum"), value_len=pl.len().cast(pl.Int64))
        same_rows(gathered(groups), expected)


if __name__ == "__main__":
    main()
