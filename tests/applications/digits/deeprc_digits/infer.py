"""Stage infer: the digit of each image of the test part, and how many are right."""

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import pyarrow as pa
import torch
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.batches import in_batches
from deeprc.applications.base.prepared import read_frame
from deeprc.applications.base.reference import beats
from deeprc.applications.base.trained import read_model, write_predictions
from deeprc.core import fingerprint
from deeprc.core.exact import rounded
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.learning.checkpoints import tensors
from deeprc.learning.torch import state
from deeprc_digits.prepare import PIXELS
from deeprc_digits.train import build, load


def main(
    prepared: commandline.Prepared,
    model: commandline.Trained,
    predictions: Annotated[Path, typer.Option(help="the Arrow file to write: digit, told")],
    out: Annotated[Path, typer.Option(help="the metrics to write (JSON)")],
) -> None:
    """Tell the digits apart, beside the reference: the digit whose mean image is nearest."""
    about = read_model(model, fingerprint.read(prepared), prepared)
    network = build(about["options"]["hidden"])
    network.load_state_dict(state.tensors("", tensors.read(model / "weights.safetensors")))
    pixels, digits = load(prepared, "test")
    means = pl.from_arrow(read_frame(prepared, "means"))
    nearest = means.select(f"{name}_mean" for name in PIXELS).to_numpy() / 16
    with torch.inference_mode():
        told = in_batches(lambda rows: network(torch.from_numpy(pixels[rows])).argmax(1), np.arange(len(pixels)), 256)
    naive = means["digit"].to_numpy()[((pixels[:, None] - nearest) ** 2).sum(2).argmin(1)]
    right, reference = (rounded(float((found == digits).mean())) for found in (told, naive))
    write_predictions(predictions, pa.table({"digit": digits, "told": told}), about[fingerprint.KEY])
    by_digit = [[int(((digits == of) & (told == as_)).sum()) for as_ in range(10)] for of in range(10)]
    facts = {"images": len(digits), "accuracy": right, "reference": reference, "confusion": by_digit}
    facts |= {"beats_reference": beats(right, reference, better="higher"), fingerprint.KEY: about[fingerprint.KEY]}
    write_json(out, facts)


if __name__ == "__main__":
    run(main)
