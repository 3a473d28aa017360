"""How each model is trained for its published row: what its authors' scripts say, in the words of our configuration.

Where ours differs: AdamW with a decay of 1e-4 and gradients clipped at 1 for Adam; a learning rate that falls as a
cosine for one that stays for two epochs and is then halved each epoch (DLinear, iTransformer; TimesNet's is theirs, for
five epochs of ten) or falls by a tenth (PatchTST); the weights of the least validation loss, from some 250 windows
spread over the validation part, for the authors' early stop. TimesNet begins with its authors' initial weights, those
of the seed 2021 of their script: other ones end elsewhere. NHITS' authors search five settings at random for each
horizon and train the best again on training and validation part, for all steps; here it is the best of a grid by
validation loss, trained again likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deeprc.applications.forecasting.config import DataConfig, TrainConfig
from deeprc.applications.forecasting.zoo import entry
from deeprc.learning.config import Optimisation

SERIES = 7
TRAIN, HELD_OUT = 12 * 30 * 24, 4 * 30 * 24  # hours: 12 months, and 4 each to validate and to test
TOLERANCE = 0.01


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes
    ----------
    model
        As the published row calls it.
    name
        As the zoo calls it.
    drop_last
        The batch by which the authors cut the test part: what does not fill one is not judged; 0 where all is.
    """

    model: str
    name: str
    horizon: int
    data: DataConfig
    train: TrainConfig
    drop_last: int

    @property
    def label(self) -> str:
        """Model, horizon and seed, to tell of it."""
        return f"{self.model}, horizon {self.horizon}, seed {self.train.seed}"


def cell(model: str, horizon: int, seed: int) -> Cell:
    """The training of a model at a horizon."""
    context, name, drop_last, own = SETTINGS[model](horizon)
    form = own.pop("calendar_as", "circles")
    options = {**entry(name).options, **own.pop("options")}
    optimisation = Optimisation(schedule=own.pop("schedule", "cosine"))
    train = TrainConfig(seed=seed, options=options, optimisation=optimisation, **own)
    return Cell(model, name, horizon, data(horizon, context, form), train, drop_last)


def data(horizon: int, context: int, form: Literal["circles", "numbers"] = "circles") -> DataConfig:
    """How the file that `data.long` makes is prepared."""
    whole = TRAIN + 2 * HELD_OUT
    return DataConfig(
        dataset="csv", title="ETT", time="ds", target="y", series="unique_id", covariates=[], step="1h", missing=[],
        horizon=horizon, input_size=context, split=(TRAIN / whole, HELD_OUT / whole), calendar_as=form,
    )  # fmt: skip


def _dlinear(horizon: int) -> tuple[int, str, int, dict[str, Any]]:
    own = {"steps": 1024, "learning_rate": 5e-3, "batch_size": 32 * SERIES, "validations": 8}
    return 336, "DLinear", 0, own | {"loss": "mse", "level": "none", "options": {"moving_avg_window": 25}}


# Of the contexts 336, 480 and 720 and the levels `none`, `mean` and `last` those of the least validation loss.
NHITS = {96: (480, "last"), 192: (336, "none"), 336: (336, "none"), 720: (336, "none")}


def _nhits(horizon: int) -> tuple[int, str, int, dict[str, Any]]:
    context, level = NHITS[horizon]
    options = {
        "n_blocks": [1, 1, 1], "mlp_units": [[512, 512]] * 3, "dropout_prob_theta": 0.5,
        "n_pool_kernel_size": [2, 2, 1], "n_freq_downsample": [24, 12, 1],
    }  # fmt: skip
    own = {"steps": 400, "learning_rate": 1e-3, "batch_size": 256, "with_validation": True, "calendar": False}
    return context, "NHITS", 0, own | {"loss": "huber", "level": level, "options": options}


def _patchtst(horizon: int) -> tuple[int, str, int, dict[str, Any]]:
    options = {
        "patch_len": 16, "stride": 8, "hidden_size": 16, "n_heads": 4, "linear_hidden_size": 128,
        "encoder_layers": 3, "dropout": 0.3, "fc_dropout": 0.3, "revin_subtract_last": False,
    }  # fmt: skip
    own = {"steps": 1024, "learning_rate": 5e-4, "batch_size": 32 * SERIES, "validations": 16}
    return 336, "PatchTST", 128, own | {"loss": "mse", "level": "none", "options": options}


def _itransformer(horizon: int) -> tuple[int, str, int, dict[str, Any]]:
    size = 256 if horizon < 336 else 512
    options = {"hidden_size": size, "d_ff": size, "n_heads": 8, "e_layers": 2, "dropout": 0.1, "use_norm": True}
    own = {"steps": 800, "learning_rate": 1.3e-4, "batch_size": 32, "validations": 8}
    return 96, "iTransformer", 0, own | {"loss": "mse", "level": "none", "options": options}


def _timesnet(horizon: int) -> tuple[int, str, int, dict[str, Any]]:
    options = {
        "hidden_size": 16, "conv_hidden_size": 32, "encoder_layers": 2, "top_k": 5, "num_kernels": 6, "dropout": 0.1,
        "random_seed": 2021,
    }  # fmt: skip
    epoch = (TRAIN - 96 - horizon + 1) // 32
    own = {"steps": 5 * epoch, "learning_rate": 1e-4, "schedule": "halved", "batch_size": 32, "validations": 5}
    own["calendar_as"] = "numbers"
    return 96, "JointTimesNet", 0, own | {"loss": "mse", "level": "mean", "options": options}


SETTINGS = {
    "DLinear": _dlinear,
    "NHITS": _nhits,
    "PatchTST": _patchtst,
    "iTransformer": _itransformer,
    "TimesNet": _timesnet,
}
