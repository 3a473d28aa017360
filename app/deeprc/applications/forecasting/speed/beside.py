"""The pipeline's own training, and `NeuralForecast.fit` of the same class: each in a process that `run` asks.

`python -m …speed.beside WAY FOLDER THREADS` answers each line `{"name": …, "batch": …, "steps": …}` by a line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deeprc.applications.forecasting.series import Series
from deeprc.applications.forecasting.speed.made import AHEAD, LEARNING_RATE, PAST, problem, read, with_mlp
from deeprc.applications.forecasting.zoo import entry

Training = Callable[[str, int, int], dict]  # of a model, by batches of so many windows, for so many steps


def ours(series: Series, threads: int) -> Training:
    """As the stage `train` does it, without validations in between, checkpoints and curves."""
    from deeprc.learning.config import How
    from deeprc.learning.peers import Alone
    from deeprc.learning.torch.loop import make_deterministic
    from deeprc.learning.torch.train import Trainer

    def train(name: str, batch: int, steps: int) -> dict:
        make_deterministic(1, threads)
        began = time.perf_counter()
        what = problem(name, series)
        trainer = Trainer(
            what, Alone(), steps=steps, batch=batch, seed=1, reproducible="fixed", shards=None, how=How(), facts={},
            checkpoints=None,
        )  # fmt: skip
        trainer.say = lambda line: None
        ready = time.perf_counter()
        trainer.run(lambda: 0.0, learning_rate=LEARNING_RATE, checks=1)
        return _told(what.module, began, ready, time.perf_counter())

    return train


def theirs(series: Series, threads: int) -> Training:
    """By NeuralForecast's documented call, with its own optimiser; without its log, progress bar and checkpoints."""
    import neuralforecast.models
    import pandas as pd
    import torch
    from neuralforecast import NeuralForecast
    from pytorch_lightning import Callback

    parts = [
        pd.DataFrame({"unique_id": name, "ds": np.arange(end - begin), "y": series.y[begin:end]})
        for name, (begin, end, *_) in zip(series.ids, series.bounds, strict=True)
    ]
    rows, at = pd.concat(parts, ignore_index=True), []  # not times of the clock's own, which NeuralForecast copies

    class Clock(Callback):
        """When steps begin and end, without what Lightning does before and after."""

        def on_train_start(self, *_) -> None:
            at.append(time.perf_counter())

        on_train_end = on_train_start

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # Lightning's, of what it would like to have more of
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    def train(name: str, batch: int, steps: int) -> dict:
        at.clear()
        began = time.perf_counter()
        model = getattr(neuralforecast.models, name)(
            h=AHEAD, input_size=PAST, max_steps=steps, windows_batch_size=batch, learning_rate=LEARNING_RATE,
            callbacks=[Clock()], **entry(name).options, **quiet,
        )  # fmt: skip
        NeuralForecast([model], freq=1).fit(rows)
        ended = time.perf_counter()
        return _told(model, began, *at) | {"whole_seconds": ended - began}

    return train


def _told(module, began: float, ready: float, ended: float) -> dict:
    parameters = sum(one.numel() for one in module.parameters())
    return {"seconds": ended - ready, "whole_seconds": ended - began, "parameters": parameters}


WAYS = {"deeprc": ours, "neuralforecast": theirs}


def main(way: str, folder: Path, threads: int) -> None:
    """Train as each line of standard input says, in this process."""
    with os.fdopen(os.dup(1), "w", buffering=1) as answers, with_mlp():
        os.dup2(2, 1)  # what libraries print is no answer
        train = WAYS[way](read(folder), threads)
        for line in sys.stdin:
            print(json.dumps(train(**json.loads(line))), file=answers)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
