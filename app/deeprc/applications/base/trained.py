"""A trained model and its predictions, each with the record of what it was made from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from deeprc.applications.base.prepared import check_parts, read_facts
from deeprc.core import fingerprint
from deeprc.core.files import atomic
from deeprc.core.fingerprint import Record

MODEL = "model.json"  # what train says about a model, with `made_from`


def read_model(folder: Path, record: Record | None, prepared: Path) -> dict:
    """What train told of the model in `folder`.

    Parameters
    ----------
    record
        That of the data in `prepared`, which the model is to be used with.

    Raises
    ------
    InputError
        Where a part of the folder is missing or was changed.
    MixError
        For a model of other data.
    """
    check_parts(folder)
    told = read_facts(folder / MODEL)
    fingerprint.refuse(folder, fingerprint.part_of(told.get(fingerprint.KEY)), record, prepared)
    return told


def write_predictions(out: Path, table: pa.Table, made_from: Record | None, **metadata: str) -> None:
    """Write predictions as an Arrow file with the record of their model, and other text to be kept with them."""
    table = table.replace_schema_metadata({**metadata, **fingerprint.to_arrow(made_from)})
    with atomic(out) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_table(table)
