"""Trains by each engine undisturbed, and once more killed again and again, at the same steps for all."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deeprc.bench.machine import describe
from deeprc.bench.resume import history
from deeprc.bench.resume.table import ENGINES, TrainingEngine
from deeprc.core.errors import ConfigError, DeepRCError, unknown

LIMIT = 900  # seconds that one start may take
LOOK = 0.002  # seconds between two looks at what a training has done


def run(kills: int, names: Sequence[str] | None, python: str, say: Callable[[str], None]) -> dict:
    """Train by each of the engines `names`, or by all; those of other libraries in the environment of `python`.

    Returns
    -------
    By engine: `lost` and `replayed` (uses of samples), `weights_equal` to those of the undisturbed run, `seconds_lost`
    beside it, `seconds_to_start` (median, to the first step), `steps_undone`, `kills`, and `by_hand`: starts that
    failed until the last checkpoint was taken away. Or `skipped`: why. And the schedule, sizes, machine, versions.

    Raises
    ------
    ConfigError
        For an unknown engine, a Python that is not there, and more kills than steps.
    DeepRCError
        Where an engine fails, also without its last checkpoint.
    """
    from deeprc.bench.resume.engines import task

    if kills >= task.STEPS:
        raise ConfigError("more kills than the training has steps", found=f"{kills}", expected=f"below {task.STEPS}")
    names = list(dict.fromkeys(names or ENGINES))
    for name in names:
        if name not in ENGINES:
            raise unknown("engine", name, ENGINES)
    if shutil.which(python) is None:
        raise ConfigError("no such Python", found=python, expected="the path of a Python", fix="mend --python")
    installed = {name: ENGINES[name].versions(python) for name in names}  # before the first of them trains
    chance = random.Random(1)
    schedule = sorted(chance.sample(range(1, task.STEPS), kills))
    delays = [chance.uniform(0, 2 * task.PAUSE) for _ in schedule]  # not at the same point of each step
    about = {"samples": task.SAMPLES, "batch": task.BATCH, "epochs": task.EPOCHS, "steps": task.STEPS}
    figures = {"kills": kills, **about, "ranks": task.RANKS, "checkpoint_steps": task.EVERY, "killed_after": schedule}
    figures["machine"] = describe(("deeprc", "torch", "mpi4py", "mpich"))
    for engine in map(ENGINES.__getitem__, names):
        versions = installed[engine.name]
        if absent := [name for name, version in versions.items() if version is None]:
            figures[engine.name] = {"skipped": f"not installed for {python}: {', '.join(absent)}"}
            say(f"{engine.name}: skipped, {figures[engine.name]['skipped']}")
            continue
        folder = Path(tempfile.mkdtemp(prefix=".bench-resume-", dir=".")).absolute()
        try:
            figures[engine.name] = _one(engine, python, folder, schedule, delays, say) | {"versions": versions}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return figures


def _one(engine: TrainingEngine, python: str, folder: Path, schedule, delays, say) -> dict:
    from deeprc.bench.resume.engines import task

    say(f"{engine.name}: undisturbed")
    quiet = _KilledTraining(engine, python, folder / "undisturbed")
    quiet.start(None)
    say(f"{engine.name}: {quiet.seconds:.1f} s; now with kills")
    killed = _KilledTraining(engine, python, folder / "killed")
    done = 0
    for number, (step, delay) in enumerate(zip(schedule, delays, strict=True), 1):
        if not killed.start(step, delay):
            break  # at its end before that step: what it lost along the way is counted
        done += 1
        say(f"{engine.name}: kill {number} of {len(schedule)}, after step {step} of {task.STEPS}")
    else:
        killed.start(None)
    fates = [history.fate(history.read(one.folder / "used"), task.SAMPLES, task.EPOCHS) for one in (quiet, killed)]
    if fates[0] != history.Fate(0, 0, 0):
        say(f"{engine.name}: undisturbed, it has lost {fates[0].lost} and replayed {fates[0].replayed}")
    found = {
        "lost": fates[1].lost,
        "replayed": fates[1].replayed,
        "weights_equal": killed.weights() == quiet.weights(),
        "seconds_lost": round(killed.seconds - quiet.seconds, 1),
        "seconds_undisturbed": round(quiet.seconds, 1),
        "seconds_to_start": round(statistics.median(killed.starts), 2),
        "steps_undone": fates[1].undone,
        "kills": done,
        "by_hand": killed.by_hand,
    }
    say(f"{engine.name}: lost {found['lost']}, replayed {found['replayed']}, weights equal: {found['weights_equal']}")
    return found


class _KilledTraining:
    """One training by an engine, over all of its starts."""

    def __init__(self, engine: TrainingEngine, python: str, folder: Path) -> None:
        self.engine, self.python, self.folder = engine, python, folder
        self.seconds, self.runs, self.by_hand = 0.0, 0, 0
        self.starts: list[float] = []  # seconds to the first step

    def weights(self) -> str | None:
        """Their SHA-256, once it has come to its end."""
        path = self.folder / "weights.sha256"
        return path.read_text() if path.exists() else None

    def start(self, step: int | None, delay: float = 0.0) -> bool:
        """Go on; whether it was killed, which is done so many seconds after it has begun that step."""
        while True:
            code, words = self._run(step, delay)
            if code is None:
                return True
            if code == 0:
                return False
            found = sorted((self.folder / "checkpoints").glob("*"), key=lambda path: path.stat().st_mtime)
            if not found or self.by_hand > self.runs // 2:
                raise DeepRCError(f"{self.engine.name} failed (exit {code}):\n{words[-4000:]}")
            # Its user would now look what is wrong, and take the last checkpoint away.
            self.by_hand += 1
            shutil.rmtree(found[-1]) if found[-1].is_dir() else found[-1].unlink()

    def _run(self, step: int | None, delay: float) -> tuple[int | None, str]:
        self.runs += 1
        self.folder.mkdir(exist_ok=True)
        command = self.engine.command(self.python, self.folder, self.runs)
        environment = {**os.environ, "DEEPRC_RANKS": "2", "OMP_NUM_THREADS": "1"} if not self.engine.packages else None
        began, first, over = time.monotonic(), None, False
        with tempfile.TemporaryFile() as words:
            process = psutil.Popen(command, stdout=words, stderr=words, env=environment, stdin=subprocess.DEVNULL)
            try:
                while process.poll() is None and time.monotonic() - began < LIMIT:
                    last = self._last()
                    first = first or (last and time.monotonic() - began)
                    if step and last and last >= step:
                        time.sleep(delay)
                        break
                    time.sleep(LOOK)
                else:
                    over = process.poll() is None
                code = process.poll()
            finally:
                kill(process)
            self.seconds += time.monotonic() - began
            self.starts += [first] if first else []
            words.seek(0)
            said = words.read().decode(errors="replace")
            if over:  # no kill of ours: it hangs, or the machine is too slow
                raise DeepRCError(f"{self.engine.name} did not end within {LIMIT} s:\n{said[-4000:]}")
            return code, said

    def _last(self) -> int | None:
        """The last step that its first rank has begun in this start."""
        try:
            lines = (self.folder / "used" / f"{self.runs:03d}-0").read_bytes().split(b"\n")
        except OSError:
            return None
        return int(lines[-2].split()[0]) if len(lines) > 1 else None


def kill(process: psutil.Popen) -> None:
    """`kill -9` a process and all that it has started, at once."""
    try:
        below = process.children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    for one in (*below, process):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    psutil.wait_procs(below, timeout=60)
