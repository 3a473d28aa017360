"""The losses of a training while it goes on: lines of JSON, TensorBoard's files, MLflow, and a line now and then.

The points travel with each checkpoint. A training that goes on from one writes its files anew from them, so that no
step stands there twice, and none is lost, whatever a kill has left.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deeprc.core.files import storage_error, write_text
from deeprc.learning.event_file import EventFile
from deeprc.learning.notice import AskedToEnd
from deeprc.learning.tracking import Tracking

LINES = "curve.jsonl"
POINTS = 100  # of a training, beside its validations
QUIET = 30.0  # seconds after which a line says how far the training is


class Curve:
    """The points of a training.

    Parameters
    ----------
    folder
        Where `curve.jsonl` and the event file are written.
    steps
        Of the whole training: a point is due after each hundredth of them.
    writes
        Whether this rank is the one that writes.
    tracking
        MLflow, where it is to be told, too.
    say
        Prints a line.

    Raises
    ------
    StorageError
        By `add` and `load`, where the disk is full.
    """

    def __init__(
        self, folder: Path, steps: int, *, writes: bool, tracking: Tracking | None = None,
        say: Callable[[str], None] = print,
    ) -> None:  # fmt: skip
        self.folder, self.steps, self.writes, self.tracking, self.say = folder, steps, writes, tracking, say
        self.every = max(1, steps // POINTS)
        self.points: list[dict[str, float]] = []
        self._lines, self._events = None, None
        self._said = self._began = (time.monotonic(), 0)

    def due(self, step: int) -> bool:
        """Whether there is to be a point after this step, on all ranks alike."""
        return step % self.every == 0 or step == self.steps

    def before(self, step: int, ends: Sequence[tuple[int, Any]]) -> int:
        """The step of the point before the one of `step`, which also follows from the validations up to then."""
        last = max((end for end, _ in ends if end < step), default=0)
        return max(last, (step - 1) // self.every * self.every)

    def add(self, step: int, *, said: bool = False, **values: float) -> None:
        """Write down the values of a step.

        Parameters
        ----------
        said
            Whether a line has told of this step.
        """
        if not self.writes:
            return
        if self._lines is None:
            self._begin()
        point = {"step": step, "time": round(time.time(), 3), **values}
        self.points.append(point)
        self._write(point)
        now = time.monotonic()
        if said:
            self._said = now, step
        elif now - self._said[0] >= QUIET and step < self.steps:
            speed = (step - self._began[1]) / (now - self._began[0])
            told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())
            self.say(f"step {step:5d} of {self.steps}: {told}; {speed:.3g} steps a second")
            self._said = now, step

    def state(self) -> dict[str, Any]:
        """All points up to now."""
        return {"points": self.points}

    def load(self, state: dict[str, Any]) -> None:
        """Go on after these points: what was written after them is undone."""
        self.points = list(state["points"])
        if self.writes:
            self._begin()

    def __enter__(self) -> Curve:
        return self

    def __exit__(self, kind: type[BaseException] | None, *about: object) -> None:
        if kind is None:
            self.close()
        else:
            self.close("KILLED" if issubclass(kind, AskedToEnd) else "FAILED")

    def close(self, status: str = "FINISHED") -> None:
        """Close the files, and wait a little until MLflow has all, and how the training ended, in its words."""
        for file in (self._lines, self._events):
            if file is not None:
                file.close()
        self._lines = self._events = None
        if self.writes and self.tracking and self.points:
            self.tracking.close(status)

    def _begin(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / LINES
            write_text(path, "")  # in the place of what there was
            self._lines = path.open("ab", buffering=0)  # what could not be written is not tried again at the end
            for old in self.folder.glob("events.out.tfevents.*"):
                old.unlink()
            self._events = EventFile(self.folder, time.time(), platform.node() or "localhost")
        except OSError as error:
            raise storage_error(error, self.folder) from error
        if self.tracking:
            self.tracking.begin(fresh=not self.points)
        for point in self.points:
            self._write(point)
        if self.points:
            self._said = self._began = time.monotonic(), self.points[-1]["step"]

    def _write(self, point: dict[str, float]) -> None:
        values = {name: value for name, value in point.items() if name not in ("step", "time")}
        try:
            self._lines.write(f"{json.dumps(point)}\n".encode())
            self._events.add(point["step"], point["time"], values)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        if self.tracking:
            self.tracking.add(point["step"], point["time"], values)
