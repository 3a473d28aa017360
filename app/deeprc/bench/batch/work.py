"""A stage, as either way starts it: `python -m deeprc.bench.batch.work OPERATION ROWS FILE`, on its ranks."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from deeprc.bench.operations import operation, summed, tables, told
from deeprc.core.files import write_json
from deeprc.frames import Communicator


def main(op: str, rows: int, path: Path) -> None:
    """Its own seconds, from all ranks being there to all of them having their rows; how many, and their checksum."""
    world = Communicator.world()
    world.barrier()
    began = time.perf_counter()
    mine = told(operation("arrow", op, *tables(op, rows, world, "int"), world)())
    each = world.gather(mine)
    if each is not None:
        seconds = time.perf_counter() - began
        counts, sums = zip(*each, strict=True)
        write_json(path, {"seconds": seconds, "rows": sum(counts), "checksum": summed([*sums])})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
