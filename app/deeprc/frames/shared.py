"""Rows that go from rank to rank through the memory of their node, where the receiver reads them in place.

Each rank writes what is for the others into a segment, a batch of Arrow for each. On several nodes one rank of each
sends all that goes to another node in one message, and puts what comes from there into a segment of its own.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.frames import communicator
from deeprc.frames.topology import SHARED, Topology, mapped, segment
from deeprc.frames.wire import from_arrays, to_arrays

SIZES, ROWS = 1, 2  # tags of messages


@dataclass(frozen=True)
class Parts:
    """What a rank has written for the others.

    Parameters
    ----------
    file
        The segment.
    ends
        Where the part of each rank ends, in the order of `order`, behind where the first one begins.
    own
        The rows that stay, which are not in it.
    schema
        Of a part.
    """

    file: BinaryIO
    ends: np.ndarray
    own: pl.DataFrame
    schema: pa.Schema


def order(topology: Topology) -> list[int]:
    """All ranks, node by node: what goes to a node lies side by side."""
    return [rank for node in topology.nodes for rank in node]


def write(df: pl.DataFrame, counts: np.ndarray, rank: int, topology: Topology) -> Parts:
    """Write rows, ordered by their destinations, into a segment; a local step."""
    starts = np.cumsum(counts) - counts
    file, ends = segment(), []
    none = to_arrays(df.clear())
    schema = pa.schema([(str(number), array.type) for number, array in enumerate(none)])
    with pa.OSFile(f"/proc/self/fd/{file.fileno()}", "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch(none, schema=schema))  # the schema goes with the first batch
        ends.append(sink.tell())
        for to in order(topology):
            if to != rank and counts[to]:
                part = df.slice(starts[to], counts[to])
                stream.write_batch(pa.record_batch(to_arrays(part), schema=schema))
            ends.append(sink.tell())
    topology.traffic.shared += ends[-1] - ends[0]
    return Parts(file, np.array(ends, np.int64), df.slice(starts[rank], counts[rank]), schema)


@dataclass(frozen=True)
class Stretch:
    """Rows for this rank: where they lie in a segment."""

    view: pa.Buffer
    start: int
    stop: int

    def read(self, schema: pa.Schema, columns: pl.Schema) -> pl.DataFrame:
        message = pa.ipc.read_message(self.view.slice(self.start, self.stop - self.start))
        return from_arrays(pa.ipc.read_record_batch(message, schema).columns, columns)


def exchange(parts: Parts, columns: pl.Schema, comm: Any, topology: Topology) -> Callable[[], pl.DataFrame]:
    """Let the others have what all ranks have written.

    Returns
    -------
    What makes a frame of the rows for this rank, in the order of the ranks that they came from: a local step.
    """
    local = topology.local
    told = np.empty((local.size, 1 + len(parts.ends)), np.int64)
    local.Allgather(np.append(parts.file.fileno(), parts.ends), told)
    views = [mapped(topology.path(rank, int(fd))) for rank, fd in enumerate(told[:, 0])]
    ends = told[:, 1:]
    at = order(topology).index(comm.rank)
    places = {
        rank: Stretch(views[i], *ends[i, at : at + 2].tolist()) for i, rank in enumerate(topology.nodes[topology.here])
    }
    if topology.way != SHARED:
        places |= _across(views, ends, comm, topology)
    local.Barrier()  # until all have it mapped: then the segment needs no place among the open files
    parts.file.close()

    def arrived() -> pl.DataFrame:
        pieces = [
            parts.own if rank == comm.rank else place.read(parts.schema, columns)
            for rank, place in sorted(places.items())
            if rank == comm.rank or place.stop > place.start
        ]
        return pl.concat(pieces)

    return arrived


def _across(views: Sequence[pa.Buffer], ends: np.ndarray, comm: Any, topology: Topology) -> dict[int, Stretch]:
    """Where the rows lie that came from other nodes, by the rank that they came from."""
    here, nodes, local = topology.here, topology.nodes, topology.local
    mine = [node for node in range(len(nodes)) if node != here and topology.partner(here, node) == comm.rank]
    begins = np.cumsum([0, *map(len, nodes)])
    sizes = {node: np.empty((len(nodes[node]), local.size), np.int64) for node in mine}
    theirs = {node: topology.partner(node, here) for node in mine}
    requests = [comm.Irecv(sizes[node], theirs[node], SIZES) for node in mine]
    kept = []
    for node in mine:
        of_node = ends[:, begins[node] : begins[node + 1] + 1]
        lengths = np.ascontiguousarray(np.diff(of_node, axis=1))
        pieces = [
            np.frombuffer(view, np.uint8)[first:last]
            for view, (first, last) in zip(views, of_node[:, [0, -1]], strict=True)
        ]
        message = np.concatenate(pieces)
        kept += [lengths, message]
        requests.append(comm.Isend(lengths, theirs[node], SIZES))
        requests += _pieces(message, lambda piece, node=node: comm.Isend(piece, theirs[node], ROWS))
        topology.traffic.messages += 1 + -(-len(message) // communicator.PIECE)
        topology.traffic.sent += lengths.nbytes + len(message)
    for request in requests[: len(mine)]:
        request.Wait()
    file, starts = _arriving(sizes, comm, theirs)
    for request in requests[len(mine) :]:
        request.Wait()
    told = local.allgather((file.fileno(), starts, sizes))
    me, places = local.rank, {}
    for rank, (descriptor, starts, sizes) in enumerate(told):
        view = mapped(topology.path(rank, descriptor))
        for node, start in starts.items():
            stops = start + np.cumsum(sizes[node])  # row by row: of each source all that is for each rank here
            for index, source in enumerate(nodes[node]):
                stop = int(stops[index * local.size + me])
                places[source] = Stretch(view, stop - int(sizes[node][index, me]), stop)
    local.Barrier()
    file.close()
    return places


def _arriving(sizes: dict[int, np.ndarray], comm: Any, partners: dict[int, int]) -> tuple[BinaryIO, dict[int, int]]:
    """Receive what comes from other nodes into a segment; where each node's begins in it."""
    totals = {node: int(each.sum()) for node, each in sizes.items()}
    starts = dict(zip(totals, (np.cumsum([0, *totals.values()])[:-1]).tolist(), strict=True))
    file, total = segment(), sum(totals.values())
    file.truncate(total)
    if total:
        into = np.frombuffer(mmap.mmap(file.fileno(), total), np.uint8)
        requests = []
        for node, start in starts.items():
            room = into[start : start + totals[node]]
            requests += _pieces(room, lambda piece, node=node: comm.Irecv(piece, partners[node], ROWS))
        for request in requests:
            request.Wait()
    return file, starts


def _pieces(message: np.ndarray, each: Callable[[np.ndarray], Any]) -> list[Any]:
    """MPI before version 4 counts in 32 bits: a large message travels in several."""
    size = communicator.PIECE
    return [each(message[at : at + size]) for at in range(0, len(message), size)]
