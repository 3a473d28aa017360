"""Stage train: the network, and the images as it takes them."""

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import torch
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import check_parts, read_frame, sealed
from deeprc.applications.base.trained import MODEL
from deeprc.core import fingerprint
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.learning.checkpoints import tensors
from deeprc.learning.sampler import Sampler
from deeprc.learning.torch import state
from deeprc.learning.torch.loop import by_loss, fit, make_deterministic
from deeprc_digits.application import TrainOptions
from deeprc_digits.prepare import PIXELS


def load(prepared: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The pixels, float32 [images, 64] from 0 to 1, and the digits, int64 [images], of a part."""
    check_parts(prepared)
    rows = pl.from_arrow(read_frame(prepared, "images")).filter(pl.col("part") == part)
    return rows.select(PIXELS).to_numpy().astype(np.float32) / 16, rows["digit"].to_numpy()


def build(hidden: int) -> torch.nn.Module:
    """From pixels [images, 64] to a logit for each digit [images, 10]."""
    return torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))


def main(
    prepared: commandline.Prepared,
    config: Annotated[str, typer.Option(help="the training options as JSON")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
) -> None:
    """Train the network; it ends with the weights of the smallest validation loss."""
    options = commandline.options(TrainOptions, config)
    make_deterministic(seed=0, threads=1)
    train, val = ([torch.from_numpy(array) for array in load(prepared, part)] for part in ("train", "val"))
    network, batches = build(options.hidden), Sampler(len(train[0]), seed=0)

    def loss(rows: torch.Tensor, pixels: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(pixels[rows]), digits[rows])

    gradient = by_loss(network, lambda step: loss(torch.from_numpy(batches.take(64).samples), *train))
    rates = {"learning_rate": options.learning_rate, "name": "the network"}
    history = fit(network, gradient, lambda: loss(torch.arange(len(val[0])), *val).item(), steps=400, **rates)
    record = fingerprint.trained(fingerprint.read(prepared), options.model_dump(mode="json"))
    with sealed(out) as folder:
        tensors.write(folder / "weights.safetensors", state.arrays("", network.state_dict()))
        write_json(
            folder / MODEL, {"best_step": history.best_step, "options": options.model_dump(), fingerprint.KEY: record}
        )


if __name__ == "__main__":
    run(main)
