"""Mapped columns as tensors of torch that lie where the files are mapped."""

from __future__ import annotations

import pyarrow as pa
import torch

from deeprc.core.errors import InputError
from deeprc.learning.mapped import Mapped


def tensors(rows: Mapped, name: str) -> list[torch.Tensor]:
    """A column's pieces as tensors [rows], by DLPack: nothing is copied. `rows.starts` says where each begins.

    Raises
    ------
    InputError
        For a column that has nulls, or holds no numbers (truth values are packed to bits; `rows.windows` and
        `rows.take` unpack them).
    """
    rows.pieces(name)  # refuses nulls and words
    kind = rows.table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InputError(
            f"the column {name!r} cannot be a tensor without a copy", where=rows.where, found=kind,
            expected="integers or floating-point numbers", fix="cut what is needed of it by `take` or `windows`",
        )  # fmt: skip
    return [torch.from_dlpack(chunk) for chunk in rows.table[name].chunks if len(chunk)]
