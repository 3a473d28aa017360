"""What our training loop adds to a step: windows of mapped Arrow files, beside a plain loop on tensors in memory.

Both train the same network on the same windows with the same optimiser. They take turns in one process, so that
whatever else the machine does meets both.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from deeprc.bench.machine import describe
from deeprc.core.errors import ConfigError
from deeprc.learning.config import How
from deeprc.learning.mapped import Mapped, mapped
from deeprc.learning.peers import Alone

ROWS, PARTS, COLUMNS = 40_000, 2, 7
PAST, AHEAD = 96, 96
LEARNING_RATE = 1e-3
WINDOWS = ROWS - PAST - AHEAD
NETWORKS = ("linear", "mlp", "lstm")


def run(batch: int, steps: int, turns: int) -> dict:
    """Measure, with one thread.

    Returns
    -------
    By network: `parameters`, `step_ms` and `cpu_ms` (processor time) of both loops, medians over all steps, and the
    median ratio of a turn of ours to the plain one beside it, by either clock.
    """
    from deeprc.learning.torch.loop import make_deterministic

    if batch > WINDOWS:
        raise ConfigError("--batch: more windows than there are", found=f"{batch:,}", expected=f"at most {WINDOWS:,}")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = _written(Path(folder))
        for name in NETWORKS:
            make_deterministic(1, 1)
            times: dict[str, list[np.ndarray]] = {"ours": [], "plain": []}
            for _ in range(turns + 1):  # the first warms up
                times["ours"].append(_ours(rows, name, batch, steps))
                times["plain"].append(_plain(rows, name, batch, steps))
            found[name] = {"parameters": sum(one.numel() for one in _network(name).parameters()), **_told(times)}
    about = {"batch": batch, "window": [PAST, AHEAD], "columns": COLUMNS, "rows": ROWS, "parts": PARTS}
    return {**about, "networks": found, "machine": describe(("deeprc", "torch", "pyarrow", "numpy"))}


def _told(times: dict[str, list[np.ndarray]]) -> dict:
    """Of steps' wall and processor times [steps, 2], turn by turn, the medians."""
    kept = {loop: turns[1:] for loop, turns in times.items()}
    medians = {loop: 1000 * np.median(np.concatenate(turns), axis=0) for loop, turns in kept.items()}
    pairs = [np.median(ours, 0) / np.median(plain, 0) for ours, plain in zip(kept["ours"], kept["plain"], strict=True)]
    told = {}
    for clock, (key, ratio) in enumerate((("step_ms", "ratio"), ("cpu_ms", "cpu_ratio"))):
        told[key] = {loop: round(float(found[clock]), 3) for loop, found in medians.items()}
        told[ratio] = round(statistics.median(float(pair[clock]) for pair in pairs), 3)
    return told


def _written(folder: Path) -> Mapped:
    chance = np.random.default_rng(1)
    for part in range(PARTS):
        columns = {f"x{column}": chance.normal(size=ROWS // PARTS).astype(np.float32) for column in range(COLUMNS)}
        table = pa.table(columns)
        with pa.ipc.new_file(folder / f"part-{part:05d}.arrow", table.schema) as file:
            file.write_table(table)
    return mapped(folder)


def _network(name: str):
    import torch

    class Last(torch.nn.Module):
        """The state of an LSTM after the last row."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(COLUMNS, 64, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0][:, -1]

    torch.manual_seed(1)
    if name == "linear":
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(PAST * COLUMNS, AHEAD))
    if name == "lstm":
        return torch.nn.Sequential(Last(), torch.nn.Linear(64, AHEAD))
    sizes = (PAST * COLUMNS, 800, 800, AHEAD)  # 1.26 million weights
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    return torch.nn.Sequential(torch.nn.Flatten(), layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])


class _Clock:
    """The times at which steps began: wall and processor."""

    def __init__(self) -> None:
        self.at: list[tuple[float, float]] = []

    def note(self) -> None:
        self.at.append((time.perf_counter(), time.process_time()))

    def steps(self) -> np.ndarray:
        return np.diff(np.array(self.at), axis=0)


class _Ahead:
    """The first column of rows to come, of all columns of the rows before: windows are cut from mapped files."""

    def __init__(self, rows: Mapped, name: str, note: Callable[[], None]) -> None:
        self.module, self.mapped, self.note = _network(name), rows, note
        self.names = [f"x{column}" for column in range(COLUMNS)]
        self.rows = np.arange(PAST, ROWS - AHEAD)

    def loss(self, samples: np.ndarray):
        import torch

        starts = self.rows[samples]
        past = torch.from_numpy(self.mapped.windows(self.names, starts - PAST, PAST))
        wanted = torch.from_numpy(self.mapped.windows("x0", starts, AHEAD))
        return (self.module(past) - wanted).abs().mean()

    def weight(self, samples: np.ndarray) -> int:
        self.note()
        return len(samples)


def _ours(rows: Mapped, name: str, batch: int, steps: int) -> np.ndarray:
    from deeprc.learning.torch.train import Trainer

    clock = _Clock()
    seen = {"of this step": False}

    def once() -> None:  # the batch's weight is asked for when its step begins, and that of its only part after it
        seen["of this step"] = not seen["of this step"]
        if seen["of this step"]:
            clock.note()

    trainer = Trainer(
        _Ahead(rows, name, once), Alone(), steps=steps, batch=batch, seed=1, reproducible="fixed", shards=None,
        how=How(), facts={}, checkpoints=None,
    )  # fmt: skip
    trainer.say = lambda line: None

    def validate() -> float:
        clock.note()
        return 0.0

    trainer.run(validate, learning_rate=LEARNING_RATE, checks=1)
    return clock.steps()


def _plain(rows: Mapped, name: str, batch: int, steps: int) -> np.ndarray:
    """The loop that one writes without us: all in memory, an order drawn at random."""
    import torch

    module, clock = _network(name), _Clock()
    values = torch.stack([torch.from_numpy(rows.column(f"x{column}").copy()) for column in range(COLUMNS)], dim=1)
    optimizer = torch.optim.AdamW(module.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    before, after = torch.arange(-PAST, 0), torch.arange(AHEAD)
    order = torch.randperm(WINDOWS) + PAST
    module.train()
    for step in range(steps):
        clock.note()
        starts = order[torch.arange(step * batch, (step + 1) * batch) % WINDOWS, None]  # epoch after epoch, as ours
        loss = (module(values[starts + before]) - values[starts + after, 0]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        loss.item()
    clock.note()
    return clock.steps()
