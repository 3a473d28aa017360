"""The models: what each is called, what it is built with, and what it takes beside the series itself.

To add one, add an entry here (see docs/add-a-model.md). Nothing heavy is imported: Snakemake reads this at every start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from deeprc.core.errors import ConfigError, unknown


@dataclass(frozen=True)
class Entry:
    """One model of the zoo.

    Attributes
    ----------
    options
        Arguments of the class. Only these can be set in the configuration.
    future, history
        Whether the class takes known future covariates (the calendar), and covariates of the past.
    probabilistic
        Whether it predicts a distribution one step ahead and is unrolled (DeepAR), and not all steps at once.
    joint
        Whether it forecasts all series of a time together, from all their pasts; else each series by itself.
    mixes
        Whether a forecast depends on the other windows of its batch (TimesNet takes its periods from their mean
        spectrum): such windows are forecast one by one, so that none knows of a later one.
    quantiles
        Whether it can forecast intervals: its class takes `loss` and ends in `loss.outputsize_multiplier` values
        [windows, h, values], of a joint model [times, h, values * series]; or it predicts a distribution.
    asked
        Whether it is trained only where the configuration names it.
    half
        Whether it can be computed in half precision: those that take Fourier transforms cannot (CUDA has them of
        bfloat16 not at all, and of float16 for some lengths alone).
    undivided
        Whether `fsdp` cannot deal out its weights: FEDformer's are complex numbers, and torch deals out one kind alone;
        JointTimesNet's convolutions meet whole and dealt out weights.
    smallest_input
        The smallest input size that the class works with.
    single
        More arguments of the class for a horizon of one step.
    steps, learning_rate, batch_size
        Of the training, unless the configuration says otherwise.
    source
        The paper.
    milliseconds
        Of one step at all these, for 96 rows of input and 24 ahead, on one core of an AMD EPYC: what models cost beside
        each other.
    module
        Where the class is imported from.
    """

    options: dict[str, Any]
    source: str
    future: bool = False
    history: bool = False
    probabilistic: bool = False
    joint: bool = False
    mixes: bool = False
    quantiles: bool = False
    asked: bool = False
    half: bool = False
    undivided: bool = False
    smallest_input: int = 1
    single: dict[str, Any] = field(default_factory=dict)
    steps: int = 300
    learning_rate: float = 2e-3
    batch_size: int = 64
    milliseconds: float = 10.0
    module: str = "neuralforecast.models"


# Sized so that each trains within about 15 s on one core: a demo, not the papers' sizes.
_TRANSFORMER = {"hidden_size": 16, "n_head": 2, "conv_hidden_size": 16, "encoder_layers": 1, "decoder_layers": 1}
_SMALL_STEPS = {"steps": 200, "learning_rate": 5e-3, "batch_size": 16}

ZOO: dict[str, Entry] = {
    "NBEATS": Entry(
        {"n_blocks": [1, 1, 1], "mlp_units": [[128, 128]] * 3},
        "Oreshkin et al. 2020, arXiv:1905.10437",
        quantiles=True,
        half=True,
        single={"stack_types": ["identity"] * 3},  # no trend and no season within one step
        steps=600,
        milliseconds=6.5,
    ),
    "NHITS": Entry(
        {
            "n_blocks": [1, 1, 1],
            "mlp_units": [[128, 128]] * 3,
            "n_pool_kernel_size": [2, 2, 1],
            "n_freq_downsample": [4, 2, 1],
            "dropout_prob_theta": 0.0,
        },
        "Challu et al. 2023, arXiv:2201.12886",
        quantiles=True,
        half=True,
        future=True,
        history=True,
        steps=600,
        milliseconds=9.2,
    ),
    "DeepAR": Entry(
        {"lstm_n_layers": 1, "lstm_hidden_size": 48, "lstm_dropout": 0.0},
        "Salinas et al. 2020, arXiv:1704.04110",
        quantiles=True,
        half=True,
        future=True,
        probabilistic=True,
        milliseconds=16.2,
    ),
    "LSTM": Entry(
        {"encoder_n_layers": 1, "encoder_hidden_size": 48, "decoder_layers": 2, "decoder_hidden_size": 48},
        "Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735",
        quantiles=True,
        half=True,
        future=True,
        history=True,
        milliseconds=13.4,
    ),
    "GRU": Entry(
        {"encoder_n_layers": 1, "encoder_hidden_size": 48, "decoder_layers": 2, "decoder_hidden_size": 48},
        "Cho et al. 2014, arXiv:1406.1078",
        quantiles=True,
        half=True,
        future=True,
        history=True,
        milliseconds=27.1,
    ),
    "TCN": Entry(
        {
            "kernel_size": 2,
            "dilations": [1, 2, 4, 8, 16, 32],
            "encoder_hidden_size": 32,
            "decoder_layers": 2,
            "decoder_hidden_size": 48,
        },
        "Bai et al. 2018, arXiv:1803.01271",
        quantiles=True,
        half=True,
        future=True,
        history=True,
        milliseconds=18.1,
    ),
    "PatchTST": Entry(
        {
            "patch_len": 12,
            "stride": 6,
            "hidden_size": 32,
            "n_heads": 4,
            "linear_hidden_size": 64,
            "encoder_layers": 2,
            "dropout": 0.1,
            "fc_dropout": 0.2,
            "revin_subtract_last": True,
        },
        "Nie et al. 2023, arXiv:2211.14730",
        quantiles=True,
        half=True,
        milliseconds=14.7,
    ),
    "Autoformer": Entry(
        {**_TRANSFORMER, "MovingAvg_window": 25},
        "Wu et al. 2021, arXiv:2106.13008",
        quantiles=True,
        future=True,
        smallest_input=5,  # it looks for 3 log(length) delays
        milliseconds=28.3,
        **_SMALL_STEPS,
    ),
    "FEDformer": Entry(
        {**_TRANSFORMER, "n_head": 8, "modes": 8, "MovingAvg_window": 25},
        "Zhou et al. 2022, arXiv:2201.12740",
        quantiles=True,
        undivided=True,
        future=True,
        smallest_input=2,
        milliseconds=22.0,
        **_SMALL_STEPS,
    ),
    "TimesNet": Entry(
        {"hidden_size": 16, "conv_hidden_size": 16, "encoder_layers": 1, "top_k": 2, "num_kernels": 2},
        "Wu et al. 2023, arXiv:2210.02186",
        quantiles=True,
        future=True,
        mixes=True,
        smallest_input=3,  # and with the horizon twice as many as periods
        milliseconds=15.5,
        **_SMALL_STEPS,
    ),
    "VanillaTransformer": Entry(
        dict(_TRANSFORMER),
        "Vaswani et al. 2017, arXiv:1706.03762",
        quantiles=True,
        half=True,
        future=True,
        smallest_input=2,
        milliseconds=28.2,
        **_SMALL_STEPS,
    ),
    "DLinear": Entry(
        {"moving_avg_window": 25}, "Zeng et al. 2023, arXiv:2205.13504", quantiles=True, half=True, asked=True
    ),
    "iTransformer": Entry(
        {"hidden_size": 32, "n_heads": 4, "e_layers": 2, "d_ff": 32, "dropout": 0.1, "use_norm": True},
        "Liu et al. 2024, arXiv:2310.06625",
        quantiles=True,
        half=True,
        joint=True,
        asked=True,
        batch_size=32,
    ),
    "JointTimesNet": Entry(
        {
            "hidden_size": 16,
            "conv_hidden_size": 16,
            "encoder_layers": 1,
            "top_k": 2,
            "num_kernels": 2,
            "dropout": 0.1,
            "random_seed": None,
        },
        "Wu et al. 2023, arXiv:2210.02186",
        quantiles=True,
        future=True,
        undivided=True,
        joint=True,
        mixes=True,
        asked=True,
        module="deeprc.applications.forecasting.timesnet",
        **_SMALL_STEPS,
    ),
}

_KINDS = {
    bool: "true or false", int: "a whole number", float: "a number", list: "a list of such values", str: "a text",
    dict: "a mapping", type(None): f"a whole number from 0 to {2**63 - 1}",
}  # fmt: skip
SEED = "random_seed"
USUAL = tuple(name for name, model in ZOO.items() if not model.asked)  # where the configuration names none


def entry(name: str) -> Entry:
    """The model called `name`; an unknown one is refused with the nearest known name."""
    if name not in ZOO:
        raise unknown("model", name, ZOO)
    return ZOO[name]


def check_options(name: str, options: dict[str, Any]) -> None:
    """Refuse an option that the model does not have, or a value of another kind than its usual one."""
    for key, value in options.items():
        if key not in entry(name).options:
            raise unknown(f"option of {name}", key, entry(name).options)
        usual = entry(name).options[key]
        if (usual is None and key != SEED) or _alike(value, usual):
            continue
        raise ConfigError(
            f"the option {key!r} of {name} is no such value",
            found=repr(value),
            expected=_KINDS[type(usual)] + (f", as the usual {usual!r}" if usual is not None else ""),
        )


def _alike(value: object, usual: object) -> bool:
    if usual is None:  # SEED, which the training draws where none is given; of others nothing tells the kind
        return value is None or (type(value) is int and 0 <= value < 2**63)
    if isinstance(usual, float):
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is type(usual) and (not isinstance(usual, list) or all(map(_alike, value, cycle(usual[:1]))))
