import json
import subprocess
import sys

import pytest

from deeprc.applications.hydrology.config import DataConfig, HydrologyConfig, TrainConfig
from deeprc.core.errors import ConfigError
from deeprc.core.validation import validate


def test_the_stages_get_their_own_keys_only():
    config = HydrologyConfig(seed=3, window=30)
    assert DataConfig.model_validate_json(config.data_json()).window == 30
    assert TrainConfig.model_validate_json(config.train_json()).seed == 3
    assert not set(json.loads(config.data_json())) & set(json.loads(config.train_json()))


def test_the_variant_gives_the_keys_that_are_left_out():
    paper = HydrologyConfig(variant="paper", units=8)
    assert (paper.window, paper.epochs, paper.batch_size, paper.learning_rate) == (21, 60, 537, 1e-4)
    assert paper.units == 8
    assert HydrologyConfig().window == DataConfig().window == 60


def test_who_is_held_out_must_be_used():
    with pytest.raises(ConfigError, match="held_out: c is none of the key 'basins'"):
        validate(DataConfig, {"basins": ["a", "b"], "held_out": ["b", "c"]}, where="--config")


def test_gradients_of_tensorflow_travel_by_mpi_alone():
    with pytest.raises(ConfigError, match="backend gloo: that of TensorFlow here is mpi4py; leave the key out"):
        validate(HydrologyConfig, {"training": {"backend": "gloo"}}, where="--config")
    with pytest.raises(ConfigError, match="device xpu: TensorFlow computes on processors and cuda here"):
        validate(HydrologyConfig, {"training": {"device": "xpu"}}, where="--config")
    with pytest.raises(ConfigError, match="precision float16: TensorFlow's networks take bfloat16 or tf32 here"):
        validate(HydrologyConfig, {"training": {"precision": "float16"}}, where="--config")
    with pytest.raises(ConfigError, match="float16"):  # of the stage itself, which would compute in float32
        validate(TrainConfig, {"precision": "float16"}, where="--config")


def test_each_rank_has_a_window():
    with pytest.raises(ConfigError, match="batch_size 1: less than a window for each of 2 ranks"):
        validate(HydrologyConfig, {"batch_size": 1, "training": {"ranks": 2}}, where="my.yaml")
    with pytest.raises(ConfigError, match="batch_size 2: less than a window for each of 4 shards"):
        validate(HydrologyConfig, {"batch_size": 2, "training": {"reproducible": "elastic"}}, where="my.yaml")


def test_paths():
    assert HydrologyConfig().paths == []
    assert HydrologyConfig(path="a.csv").paths == ["a.csv"]
    assert HydrologyConfig(path=["a.csv", "b.csv"]).paths == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unit": 32}, "conf: unknown key 'unit'"),
        (
            {"dataset": "camels"},
            "conf: key 'dataset': Input should be 'fulda-leaf', 'csv', 'camels-us', "
            "'camels-gb', 'camels-de' or 'caravan'",
        ),
        ({"variant": "cuda"}, "conf: key 'variant': Input should be 'small', 'paper' or 'entity-aware'"),
        ({"variant": "cudnn"}, "conf: key 'variant': the variant 'cudnn' is called 'small' now"),
        ({"window": 0}, "conf: key 'window': Input should be greater than 0"),
        (
            {"split": [0.8, 0.2]},
            "conf: key 'split': split [0.8, 0.2] leaves nothing to test: the two must add up to less than 1",
        ),
        (
            {"split_dates": ["2001-01-01", "2000-01-01"]},
            "conf: split_dates: the validation part must begin before the test part",
        ),
        (
            {"split": [0.3, 0.3], "split_dates": ["1985-01-01", "1986-01-01"]},
            "conf: keys 'split' and 'split_dates': the dates count, the fractions have no effect; give one",
        ),
        ({"forcing": "nldas"}, "conf: key 'forcing': it is for dataset camels-us, not fulda-leaf"),
        (
            {"dataset": "camels-us"},
            "conf: dataset camels-us needs the key path: the folder that holds basin_mean_forcing",
        ),
    ],
)
def test_what_is_wrong_is_said(values, message):
    with pytest.raises(ConfigError) as caught:
        validate(HydrologyConfig, values, where="conf")
    assert str(caught.value).splitlines()[0] == message


def test_an_unknown_key_comes_with_the_nearest():
    with pytest.raises(ConfigError) as caught:
        validate(HydrologyConfig, {"lerning_rate": 1}, where="conf")
    assert caught.value.fix == "did you mean 'learning_rate'?"


def test_snakemake_imports_it_without_the_heavy_libraries():
    code = "import sys, deeprc.applications.hydrology.config\n"
    code += "print({'polars', 'numpy', 'tensorflow', 'mpi4py'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
