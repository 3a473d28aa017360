"""What a prepared folder says, however many parts it is in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq

from deeprc.applications.base.prepared import read_frame
from deeprc.core import fingerprint
from deeprc.core.files import read_json


def content(folder: Path) -> dict[str, str]:
    """Of each frame and of `meta.json`, without what they were made from, the first digits of a SHA-256."""
    told = {}
    for frame in sorted(folder.glob("*.arrow")):
        table = read_frame(folder, frame.name)
        told[frame.name] = (
            str(table.schema.remove_metadata()),
            table.to_pydict(),
        )  # the repr of a float says all of it
    meta = read_json(folder / "meta.json")
    meta.pop(fingerprint.KEY)
    told["meta.json"] = meta
    return {name: hashlib.sha256(repr(said).encode()).hexdigest()[:16] for name, said in told.items()}


def spoil(path: Path, column: str) -> None:
    """Write nonsense over the pages of a column of a Parquet file, in all its row groups."""
    meta, content = pq.read_metadata(path), bytearray(path.read_bytes())
    place = meta.schema.names.index(column)
    for number in range(meta.num_row_groups):
        about = meta.row_group(number).column(place)
        first = min(filter(None, (about.dictionary_page_offset, about.data_page_offset)))
        content[first : first + about.total_compressed_size] = b"\xff" * about.total_compressed_size
    path.write_bytes(content)
