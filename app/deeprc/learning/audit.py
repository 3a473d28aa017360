"""Was every sample used once per epoch? Answered from what a training wrote down, by nothing that the training used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field, ValidationError

from deeprc.core.errors import InputError
from deeprc.learning import ledger

FACTS = "ledger.json"
SHOWN = 5  # samples that are named


class LedgerFacts(BaseModel):
    """What a ledger is held against: the samples as runs [begin, end) of rows, the steps, and what a step takes.

    Attributes
    ----------
    shards
        Where a batch is dealt evenly to them.
    """

    samples: Annotated[list[tuple[int, int]], Field(min_length=1)]
    steps: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(gt=0)]
    shards: Annotated[int, Field(gt=0)] | None = None

    @property
    def rows(self) -> np.ndarray:
        """The rows that are samples."""
        return np.concatenate([np.arange(begin, end) for begin, end in self.samples])


@dataclass(frozen=True)
class AuditResult:
    """What an audit found of one training: what is wrong in it, if anything is.

    Attributes
    ----------
    epochs, rest
        The epochs that its steps went through to their end, and how many samples they took of the next one.
    samples
        Of an epoch.
    """

    folder: Path
    steps: int
    epochs: int
    rest: int
    samples: int
    faults: list[str]

    def __str__(self) -> str:
        whole = f"{self.samples:,} samples, {self.epochs} epoch" + "s" * (self.epochs > 1)
        if not self.epochs:
            seen = f"{self.rest:,} of {self.samples:,} samples, no whole epoch and a part of one"
            right = "none twice"
        elif self.rest:
            seen, right = f"{whole} and {self.rest:,} samples of the next", "every sample once per epoch, none twice"
        else:
            seen, right = whole, "every sample once per epoch"
        seen = f"{self.folder}: {self.steps:,} steps, {seen}"
        if not self.faults:
            return f"{seen}: {right}"
        return "\n".join([f"{seen}: NOT every sample once per epoch", *(f"  {fault}" for fault in self.faults)])

    def record(self) -> dict:
        """The same as plain values."""
        return asdict(self) | {"folder": str(self.folder)}


def find(run: Path) -> list[Path]:
    """The folders below `run` that hold a ledger.

    Raises
    ------
    InputError
        Where there is none.
    """
    folders = sorted({path.parent for name in (ledger.NAME, FACTS) for path in run.rglob(name)})
    if not folders:
        raise InputError(
            "no training with a ledger",
            where=run,
            found="no such folder" if not run.exists() else f"no {ledger.NAME} in it or below",
            expected="the results of a run, or the folder of a model",
            fix="train with this version: it writes a ledger beside each model",
        )
    return folders


def audit(folder: Path) -> AuditResult:
    """Look at the ledger of one training.

    Beside it, `ledger.json` holds what it is held against (`LedgerFacts`).

    Raises
    ------
    InputError
        Where one of the two files is missing or damaged.
    """
    facts, table = _facts(folder / FACTS), ledger.read(folder / ledger.NAME)
    known = facts.rows
    faults = [*_steps(table, facts), *_epochs(table, known, facts)]
    whole, rest = divmod(facts.steps * facts.batch, len(known))
    return AuditResult(folder, facts.steps, whole, rest, len(known), faults)


def _facts(path: Path) -> LedgerFacts:
    try:
        facts = LedgerFacts.model_validate_json(path.read_bytes())
        if not len(facts.rows):
            raise ValueError("no samples")
    except (OSError, ValueError) as error:  # pydantic's is a ValueError
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ") if first else error
        raise ledger.damaged(path, said, expected="samples, steps and batch of the training") from error
    return facts


def _steps(table: pa.Table, facts: LedgerFacts) -> Iterator[str]:
    """Every step once, with a whole batch, dealt evenly to all shards."""
    steps, count = np.unique(table["step"].to_numpy(), return_counts=True)
    expected = np.arange(1, facts.steps + 1)
    if missing := _few(np.setdiff1d(expected, steps)):
        yield f"steps without a sample: {missing}"
    if more := _few(np.setdiff1d(steps, expected)):
        yield f"steps that the training does not have: {more}"
    if odd := _few(steps[count != facts.batch]):
        yield f"steps whose batch is not of {facts.batch} samples: {odd}"
    if facts.shards is None:
        return
    pairs = table["step"].to_numpy().astype(np.int64) * facts.shards + table["shard"].to_numpy()
    sizes = np.unique(pairs, return_counts=True)[1]
    least, most = facts.batch // facts.shards, -(-facts.batch // facts.shards)
    if least and (len(sizes) != facts.steps * facts.shards or sizes.min() < least or sizes.max() > most):
        yield f"shards that did not get {least} or {most} samples of each step"


def _epochs(table: pa.Table, known: np.ndarray, facts: LedgerFacts) -> Iterator[str]:
    """Every sample once in every epoch that ended, and none twice in the one that did not."""
    epochs, rows = table["epoch"].to_numpy(), table["row"].to_numpy()
    total = facts.steps * facts.batch
    for epoch in range(-(-total // len(known))):
        mine, used = np.unique(rows[epochs == epoch], return_counts=True)
        if twice := _few(mine[used > 1]):
            yield f"epoch {epoch}: used more than once: {twice}"
        if strange := _few(np.setdiff1d(mine, known)):
            yield f"epoch {epoch}: no samples of this training: {strange}"
        whole = (epoch + 1) * len(known) <= total
        if whole and (missing := _few(np.setdiff1d(known, mine))):
            yield f"epoch {epoch}: never used: {missing}"
        if not whole and used.sum() != total - epoch * len(known):
            yield f"epoch {epoch}, the last: {used.sum():,} samples, not {total - epoch * len(known):,}"
    if more := _few(np.unique(epochs[epochs >= -(-total // len(known))])):
        yield f"epochs that the training does not have: {more}"


def _few(values: np.ndarray) -> str:
    names = ", ".join(map(str, values[:SHOWN]))
    return f"{names}, … ({len(values):,} in all)" if len(values) > SHOWN else names


def spans(rows: np.ndarray) -> list[list[int]]:
    """Increasing whole numbers as runs [begin, end)."""
    edges = np.flatnonzero(np.diff(rows) != 1) + 1
    return [[int(run[0]), int(run[-1]) + 1] for run in np.split(rows, edges) if len(run)]
