"""Distributed dataframes over MPI: every rank holds a share of the rows.

Local work is done by Polars with one thread per rank; rows travel between ranks as raw column buffers.

    from deeprc.frames import Communicator, Frame

    comm = Communicator.world()
    trips = Frame.read_parquet("trips/*.parquet", comm)
    zones = Frame.read_parquet("zones.parquet", comm)
    fares = trips.join(zones, on="zone").groupby("borough").agg({"fare": ["mean", "count"]})
    fares.sort("borough").write_parquet("fares")
"""

import os

# Polars reads this once, when it is first imported. Ranks share the cores of a node, so a rank that took all of them
# would slow the others down: without a word from the executor a rank has as many threads as OpenMP was given, or one.
os.environ.setdefault("POLARS_MAX_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))

from deeprc.frames.communicator import Communicator
from deeprc.frames.frame import Frame
from deeprc.frames.lazy.frame import LazyFrame
from deeprc.frames.lazy.sources import concat, scan_arrow, scan_csv, scan_parquet

__all__ = ["Communicator", "Frame", "LazyFrame", "concat", "scan_arrow", "scan_csv", "scan_parquet"]
