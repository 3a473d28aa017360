"""`deeprc bench training`: what it measures, and where."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deeprc.applications.forecasting.speed import made
from deeprc.bench.contest import load, ratios
from deeprc.bench.machine import describe
from deeprc.bench.start import started
from deeprc.core.errors import DeepRCError

WAYS = ("deeprc", "neuralforecast")
ON_RANKS = ("MLP", "LSTM")
MODULE = "deeprc.applications.forecasting.speed"
Say = Callable[[str], None]


def run(ranks: int, batch: int, steps: int, turns: int, rows: int, threads: int, say: Say) -> dict:
    """Measure all of it; the first turn of each warms up, and does not count.

    Returns
    -------
    dict
        `fit`: by model what `beside` gives. `gain`, `modes`: by model what `ranks.gain` and `ranks.modes` give.

    Raises
    ------
    DeepRCError
        When a training or the ranks fail.
    """
    before = load()
    with tempfile.TemporaryDirectory(prefix="deeprc-training-") as folder:
        made.write(Path(folder), rows)
        with ExitStack() as open_:
            trainings = {way: open_.enter_context(_training(way, folder, threads)) for way in WAYS}
            fit = {name: beside(name, trainings, batch, steps, turns, say) for name in made.MODELS}
        arguments = [folder, batch, steps, turns, *ON_RANKS]
        on_ranks = started(ranks, f"{MODULE}.ranks", arguments, say=say)
    about = {"rows": rows, "series": made.SERIES, "window": [made.PAST, made.AHEAD], "batch": batch, "steps": steps}
    packages = ("deeprc", "torch", "neuralforecast", "pytorch-lightning", "mpi4py", "mpich")
    how = {"turns": turns, "threads": threads, "ranks": ranks, "load": before}
    return {**about, **how, "fit": fit, **on_ranks, "machine": describe(packages)}


def beside(
    name: str, trainings: dict[str, Callable[[dict], dict]], batch: int, steps: int, turns: int, say: Say
) -> dict:
    """Train a model in each way, in turns.

    Returns
    -------
    dict
        `parameters`; of each way `windows_per_second` while it trains, `seconds` of that, and of all from the building
        of the network on (`whole_seconds`), medians over the turns; how many times as fast ours is, turn by turn
        (`ratio`, `whole_ratio`, each with `median`, `low`, `high`).
    """
    took: dict[str, list[dict]] = {way: [] for way in trainings}
    for turn in range(turns + 1):
        for way, train in trainings.items():
            took[way].append(train({"name": name, "batch": batch, "steps": steps}))
        last = ", ".join(f"{way} {each[-1]['seconds']:.2f} s" for way, each in took.items())
        say(f"{name}, turn {turn} of {turns}: {last}")
    sizes = {one["parameters"] for each in took.values() for one in each}
    if len(sizes) > 1:
        raise DeepRCError("the networks are not the same", where=name, found=f"{sorted(sizes)} parameters")
    found: dict = {"parameters": sizes.pop()}
    for way, each in took.items():
        middle = {key: statistics.median(one[key] for one in each[1:]) for key in ("seconds", "whole_seconds")}
        found[way] = {"windows_per_second": round(batch * steps / middle["seconds"], 1)}
        found[way] |= {key: round(value, 3) for key, value in middle.items()}
    pairs = list(zip(took["neuralforecast"], took["deeprc"], strict=True))[1:]
    return found | {"ratio": ratios(pairs), "whole_ratio": ratios(pairs, "whole_seconds")}


def table(figures: dict) -> str:
    """The figures for people, a line for each comparison."""
    lines = [
        f"{name}: {told['deeprc']['windows_per_second']:,.0f} windows a second,"
        f" {told['ratio']['median']:.2f} times NeuralForecast's {told['neuralforecast']['windows_per_second']:,.0f}"
        for name, told in figures["fit"].items()
    ]
    for name, told in figures["gain"].items():
        one, all_ = told["windows_per_second"].values()
        lines.append(
            f"{name}: {all_:,.0f} windows a second on {figures['ranks']} ranks,"
            f" {told['ratio']['median']:.2f} times one rank's {one:,.0f}"
        )
    for name, told in figures["modes"].items():
        lines.append(
            f"{name}: a step of elastic {told['step_ms']['elastic']} ms,"
            f" {told['ratio']['median']:.2f} of fixed's {told['step_ms']['fixed']} ms"
        )
    return "\n".join(lines)


@contextmanager
def _training(way: str, folder: str, threads: int) -> Iterator[Callable[[dict], dict]]:
    """A process that trains when it is asked to, and sleeps until then."""
    command: Sequence[str] = [sys.executable, "-P", "-m", f"{MODULE}.beside", way, folder, str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile("w+") as words, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True, env=environment
    ) as process:  # fmt: skip

        def train(what: dict) -> dict:
            try:
                process.stdin.write(json.dumps(what) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            if not answer:
                code = process.wait()
                words.seek(0)
                told = words.read()[-4000:]
                raise DeepRCError(f"the training by {way} failed (exit {code}):\n{told}", where=" ".join(command))
            return json.loads(answer)

        try:
            yield train
        finally:
            process.terminate()
