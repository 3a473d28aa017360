"""The options of models: of the kinds that their classes take, or refused before anything queues."""

from dataclasses import replace

import pytest

from deeprc.applications.forecasting.config import ForecastingConfig
from deeprc.applications.forecasting.zoo import ZOO, check_options
from deeprc.core.errors import ConfigError
from deeprc.core.validation import validate


def config(**values) -> ForecastingConfig:
    return validate(ForecastingConfig, values, where="my.yaml")


def test_options_of_the_kinds_that_models_take():
    """A seed, or none: then the training draws it; whole numbers where others are usual; nested lists."""
    for name, options in {
        "JointTimesNet": {"random_seed": 2021, "dropout": 0}, "TimesNet": {}, "NHITS": {"mlp_units": [[8, 8]] * 3},
    }.items():  # fmt: skip
        assert config(models={name: {"options": options}}).models[name].options == options
    assert config(models={"JointTimesNet": {"options": {"random_seed": None}}})


@pytest.mark.parametrize(
    "model, options, expected",
    [
        *(
            ("JointTimesNet", {"random_seed": seed}, f"found: {seed!r}\n  expected: a whole number from 0 to")
            for seed in (1.5, True, "abc", -1, 2**63)
        ),
        ("NHITS", {"n_blocks": "abc"}, "found: 'abc'\n  expected: a list of such values"),
        ("NHITS", {"n_blocks": [1, 1, 1.5]}, "the option 'n_blocks' of NHITS is no such value"),
        ("GRU", {"decoder_layers": True}, "a whole number, as the usual 2"),
        ("iTransformer", {"use_norm": 1}, "true or false, as the usual True"),
        ("iTransformer", {"dropout": float("nan")}, "a number, as the usual 0.1"),
    ],
)
def test_options_of_other_kinds_are_refused(model, options, expected):
    """1.5 was taken for the seed 1, and texts were found out by the first training alone."""
    with pytest.raises(ConfigError) as error:
        config(models={model: {"options": options}})
    assert expected in str(error.value)


def test_options_of_a_model_that_somebody_adds(monkeypatch):
    """Texts, mappings, and those that are usually left out, of which nothing tells the kind."""
    usual = {"activation": "relu", "more": {}, "width": None}
    monkeypatch.setitem(ZOO, "Own", replace(ZOO["GRU"], options=usual))
    check_options("Own", {"activation": "gelu", "more": {"a": 1}, "width": 3.5})
    for options, kind in (
        ({"activation": 3}, "a text, as the usual 'relu'"),
        ({"more": "a"}, "a mapping, as the usual {}"),
    ):
        with pytest.raises(ConfigError, match=kind):
            check_options("Own", options)
