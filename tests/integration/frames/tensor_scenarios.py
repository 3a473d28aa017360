"""From a frame to training on several ranks: no copy, and each row once."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from agreeing import COMM, fails, mine, scenarios_of

from deeprc.core.errors import InputError
from deeprc.frames import Frame, io
from deeprc.learning.mapped import mapped
from deeprc.learning.sampler import Sampler
from samples.mappings import mapped_file

FOLDER = Path(sys.argv[1])
TABLE = pl.DataFrame({"x": np.arange(60.0), "n": np.arange(60, dtype=np.int16), "word": ["w"] * 60})


def a_frame_lends_its_memory_to_torch() -> None:
    frame = mine(TABLE)
    found = frame.to_torch(["x", "n"])
    for name, size in (("x", 8), ("n", 2)):
        chunk = frame.to_arrow()[name].chunk(0)
        assert found[name].data_ptr() == chunk.buffers()[1].address + chunk.offset * size
        assert found[name].tolist() == frame.to_polars()[name].to_list()
    assert Frame(TABLE.head(5 * (COMM.rank == 1)), COMM).to_torch(["x"])["x"].shape == (5 * (COMM.rank == 1),)


def what_tensors_cannot_be_made_of_is_refused_on_every_rank() -> None:
    holes = TABLE.with_columns(pl.when(pl.col("x") != 30 * (COMM.rank == 1)).then("x").alias("x"))
    with fails(InputError, "rank 0 of 3 failed", "column 'x' has nulls", "1 of 20", "fill_null"):
        mine(holes).to_torch(["x"])
    with fails(InputError, "column 'word' holds no numbers"):
        mine(TABLE).to_torch()
    with fails(InputError, "no column 'xx'", "did you mean"):
        mine(TABLE).to_torch(["xx"])


def a_sampler_deals_out_the_rows_that_ranks_have_written() -> None:
    """Each rank cuts its part of a batch out of whichever rank's file it lies in."""
    mine(TABLE).write_arrow(FOLDER / "samples.arrow")
    before, io.MAPPED = io.MAPPED, 0  # as a large file
    try:
        read = Frame.read_arrow(FOLDER / "samples.arrow", COMM)
    finally:
        io.MAPPED = before
    assert mapped_file(read.to_torch(["x"])["x"].numpy()).parent == FOLDER / "samples.arrow"
    rows = mapped(FOLDER / "samples.arrow")
    files = [mapped_file(piece.values) for piece in rows.pieces("x")]
    assert files == [FOLDER / "samples.arrow" / f"part-0000{rank}.arrow" for rank in range(3)]
    sampler, seen = Sampler(len(rows), seed=1), []
    for _ in range(5):
        part = sampler.take(12).samples[COMM.rank * 4 : COMM.rank * 4 + 4]
        assert rows.take("x", part).tolist() == part.tolist()
        seen += part.tolist()
    assert sorted(chain.from_iterable(COMM.allgather(seen))) == list(range(60))


SCENARIOS = scenarios_of(globals(), but=())
