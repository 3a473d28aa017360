"""Rows that go from rank to rank through the memory of their node, where the receiver reads them in place.

Each rank writes what is for the others into a segment, a batch of Arrow for each. On several nodes one rank of each
sends all that goes to another node in one message, and puts what comes from there into a segment of its own.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.frames import communicator
from deeprc.frames.communicator import Communicator
from deeprc.frames.topology import SHARED, Topology, mapped, segment
from deeprc.frames.wire import from_arrays, to_arrays

SIZES, ROWS = 1, 2  # tags of messages

Arrival = Callable[[], pl.DataFrame]


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

    @property
    def place(self) -> np.ndarray:
        """Where others find it: the segment among this process's open files, and `ends`."""
        return np.append(self.file.fileno(), self.ends)


def order(topology: Topology) -> list[int]:
    """All ranks, node by node: what goes to a node lies side by side."""
    return [rank for node in topology.nodes for rank in node]


def write(df: pl.DataFrame, counts: np.ndarray, rank: int, topology: Topology) -> Parts:
    """Write rows, ordered by their destinations, into a segment; a local step."""
    starts = np.cumsum(counts) - counts
    away = [None if to == rank or not counts[to] else df.slice(starts[to], counts[to]) for to in order(topology)]
    parts = _written(df, away, df.slice(starts[rank], counts[rank]))
    topology.traffic.shared += int(parts.ends[-1] - parts.ends[0])
    return parts


def put(df: pl.DataFrame) -> Parts:
    """Write all rows into a segment, as one part for whoever wants it; a local step."""
    return _written(df, [df if df.height else None], df)


def _written(df: pl.DataFrame, parts: Iterable[pl.DataFrame | None], own: pl.DataFrame) -> Parts:
    file, ends = segment(), []
    none = to_arrays(df.clear())
    schema = schema_of(none)
    with pa.OSFile(f"/proc/self/fd/{file.fileno()}", "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch(none, schema=schema))  # the schema goes with the first batch
        ends.append(sink.tell())
        for part in parts:
            if part is not None:
                stream.write_batch(pa.record_batch(to_arrays(part), schema=schema))
            ends.append(sink.tell())
    return Parts(file, np.array(ends, np.int64), own, schema)


def schema_of(arrays: Sequence[pa.Array]) -> pa.Schema:
    return pa.schema([(str(number), array.type) for number, array in enumerate(arrays)])


@dataclass(frozen=True)
class Stretch:
    """Rows for this rank: where they lie in a segment."""

    view: pa.Buffer
    start: int
    stop: int

    def read(self, schema: pa.Schema, columns: pl.Schema) -> pl.DataFrame:
        message = pa.ipc.read_message(self.view.slice(self.start, self.stop - self.start))
        return from_arrays(pa.ipc.read_record_batch(message, schema).columns, columns)


def exchange(parts: Parts, told: np.ndarray | None, columns: pl.Schema, comm: Communicator) -> Arrival:
    """Let the others have what all ranks have written.

    Parameters
    ----------
    told
        What `Parts.place` gives on each rank, where all know it already: they are on one node then.

    Returns
    -------
    What makes a frame of the rows for this rank, in the order of the ranks that they came from: a local step, to be
    done before the next agreement.
    """
    topology = comm.topology
    comm.keep_open(parts.file)
    if told is None:
        told = np.empty((topology.local.size, 1 + len(parts.ends)), np.int64)
        topology.local.Allgather(parts.place, told)
    at, ends = order(topology).index(comm.rank), told[:, 1:]

    def here(views: Sequence[pa.Buffer]) -> dict[int, Stretch]:
        ranks = topology.nodes[topology.here]
        return {rank: Stretch(views[i], *ends[i, at : at + 2].tolist()) for i, rank in enumerate(ranks)}

    def views() -> list[pa.Buffer]:
        return [mapped(topology.path(rank, int(fd))) for rank, fd in enumerate(told[:, 0])]

    places: dict[int, Stretch] = {}
    if topology.way != SHARED:
        seen = views()
        places = here(seen) | _across(seen, ends, comm, topology)

    def arrived() -> pl.DataFrame:
        pieces = [
            parts.own if rank == comm.rank else place.read(parts.schema, columns)
            for rank, place in sorted((places or here(views())).items())
            if rank == comm.rank or place.stop > place.start
        ]
        return pl.concat(pieces)

    return arrived


def all_of(parts: Parts | None, told: np.ndarray, columns: pl.Schema, comm: Communicator) -> Arrival:
    """What makes a frame of all rows that ranks of this node have `put`, in the order of the ranks: a local step, which
    may fail on one rank.

    Parameters
    ----------
    told
        What `Parts.place` gives on each rank; zeros for one that has put nothing.
    """
    own = {} if parts is None else {comm.rank: parts.own}
    places: dict[int, Stretch] = {}
    failure: Exception | None = None
    try:
        for rank, (fd, start, stop) in enumerate(told.tolist()):
            if stop > start and rank != comm.rank:
                places[rank] = Stretch(mapped(comm.topology.path(rank, fd)), start, stop)
    except Exception as error:
        failure = error  # for whoever asks for the rows

    def arrived() -> pl.DataFrame:
        if failure is not None:
            raise failure
        none = pl.DataFrame(schema=columns)
        schema = schema_of(to_arrays(none))
        read = {rank: place.read(schema, columns) for rank, place in places.items()} | own
        return pl.concat([rows for _, rows in sorted(read.items())]) if read else none

    return arrived


def _across(
    views: Sequence[pa.Buffer], ends: np.ndarray, world: Communicator, topology: Topology
) -> dict[int, Stretch]:
    """Where the rows lie that came from other nodes, by the rank that they came from."""
    comm = world.comm
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
    world.keep_open(file)
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
