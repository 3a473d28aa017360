import json
from dataclasses import replace

import pytest

from deeprc.applications.forecasting.application import Forecasting
from deeprc.applications.forecasting.config import DataConfig, ForecastingConfig, TrainConfig
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.core.errors import ConfigError
from deeprc.core.validation import validate


def config(**values) -> ForecastingConfig:
    return validate(ForecastingConfig, values, where="my.yaml")


def test_all_eleven_models_by_default():
    names = "NBEATS NHITS DeepAR LSTM GRU TCN PatchTST Autoformer FEDformer TimesNet VanillaTransformer"
    assert list(config().models) == names.split()


def test_models_as_a_name_a_list_and_a_mapping():
    assert list(config(models="GRU").models) == ["GRU"]
    assert list(config(models=["GRU", "LSTM"]).models) == ["GRU", "LSTM"]
    changed = config(models={"GRU": {"steps": 5, "options": {"encoder_hidden_size": 8}}, "LSTM": None}, steps=9)
    gru, lstm = (json.loads(changed.train_json(name)) for name in ("GRU", "LSTM"))
    assert (gru["steps"], lstm["steps"]) == (5, 9)
    assert gru["options"] == {**ZOO["GRU"].options, "encoder_hidden_size": 8}
    assert lstm["options"] == ZOO["LSTM"].options


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"batch_size": 3, "training": {"ranks": 4}},
            "batch_size 3 of GRU: less than a window for each of 4 ranks; give a larger one, or fewer training.ranks",
        ),
        (
            {"models": {"GRU": {"batch_size": 1}}, "training": {"ranks": 2, "reproducible": "elastic"}},
            "batch_size 1 of GRU: less than a window for each of 2 ranks",
        ),
        (
            {"batch_size": 9, "training": {"ranks": 2, "optimisation": {"accumulate": 5}}},
            "accumulate 5: batch_size 9 of GRU has no more than 4 windows for a rank; give at most so many parts",
        ),
        (
            {"steps": 3, "training": {"optimisation": {"validations": 10}}},
            "validations 10: GRU is trained for 3 steps: give at most so many",
        ),
        ({"models": {"GRU": {"steps": 3, "validations": 4}}}, "validations 4: GRU is trained for 3 steps"),
    ],
)
def test_what_a_step_cannot_give_is_refused(values, expected):
    with pytest.raises(ConfigError) as error:
        config(**{"models": ["GRU"], **values})
    assert expected in str(error.value)


def test_as_much_as_a_step_can_give():
    training = {"ranks": 2, "optimisation": {"accumulate": 4, "validations": 3}}
    config(models=["GRU"], batch_size=9, steps=3, training=training)
    config(models=["GRU"], steps=3)  # of the usual number of validations as many as there are steps


def test_validations_are_those_of_the_optimisation_unless_a_model_has_its_own():
    found = config(models={"GRU": {"validations": 3}, "LSTM": {}}, training={"optimisation": {"validations": 12}})
    assert [json.loads(found.train_json(name))["validations"] for name in ("GRU", "LSTM")] == [3, 12]
    assert json.loads(config().train_json("GRU"))["validations"] == 6


def test_ranks_and_checkpoints_are_no_reason_to_train_anew_but_what_changes_the_weights_is():
    one, two = (config(training={"ranks": ranks, "checkpoint_steps": ranks}) for ranks in (1, 2))
    elastic = config(training={"reproducible": "elastic"})
    assert one.train_json("GRU") == two.train_json("GRU") != elastic.train_json("GRU")
    assert json.loads(elastic.train_json("GRU"))["shards"] == 4
    assert json.loads(two.training.how())["checkpoint_steps"] == 2


def test_data_options_do_not_hold_what_only_training_needs():
    """Else a changed learning rate would prepare the data anew."""
    assert set(json.loads(config().data_json())) == set(DataConfig.model_fields)
    assert not set(DataConfig.model_fields) & {"path", "models", "steps", "seed", "ranks", "threads"}


def test_intervals_are_those_of_every_model_and_in_order():
    found = config(intervals=[95, 80], models=["GRU", "DeepAR"])
    assert [json.loads(found.train_json(name))["intervals"] for name in ("GRU", "DeepAR")] == [[80.0, 95.0]] * 2


def test_intervals_of_the_command_line_are_numbers():
    """Snakemake gives what stands in `--config` as texts."""
    assert config(intervals=["95", "80.5"], models=["GRU"]).intervals == [80.5, 95.0]


def test_a_model_that_cannot_forecast_intervals_is_refused_by_name(monkeypatch):
    assert all(model.quantiles for model in ZOO.values())
    monkeypatch.setitem(ZOO, "GRU", replace(ZOO["GRU"], quantiles=False))
    assert config(models=["GRU", "LSTM"]).intervals == []
    with pytest.raises(ConfigError, match="GRU cannot forecast intervals: leave out the key intervals"):
        config(models=["GRU", "LSTM"], intervals=[80])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"intervals": [80, 100]}, "interval 100.0: a percent between 1 and 100"),
        ({"intervals": [99.99999]}, "interval 99.99999: a percent between 1 and 100 with at most 3 decimals"),
        ({"intervals": [0.8, 0.95]}, "interval 0.8: in percent, from 1: did you mean 80?"),
        ({"intervals": ["eighty"]}, "unable to parse string as a number"),
        ({"intervals": [True]}, "Input should be a number, and true and false are none"),
        ({"intervals": 80}, "fix: write a list, such as [80]"),
        ({"intervals": None}, "fix: write a list, or leave it out"),
        ({"training": {"synchronisation": "diloco"}}, "fix: write keys below it, of across, kind, outer_"),
        ({"intervals": [80, 80.0]}, "an interval stands twice"),
        ({"interval": [80]}, "did you mean 'intervals'?"),
        ({"intervals": [80], "models": {"GRU": {"loss": "mse"}}}, "leave out the key loss of GRU (mse)"),
        (
            {"intervals": [80], "models": {"GRU": {"loss": "mae"}, "LSTM": {}, "TCN": {"loss": "huber"}}},
            "with intervals models learn quantiles alone: leave out the key loss of GRU (mae), TCN (huber)",
        ),
        (
            {"models": {"DeepAR": {"loss": "mae"}, "GRU": {"loss": "mae"}}},
            "what is learned is a distribution, by its likelihood: leave out the key loss of DeepAR (mae)",
        ),
        (
            {"models": {"DeepAR": {"level": "last"}, "GRU": {"level": "last"}}},
            "windows that are shifted by their mean: leave out the key level of DeepAR (last), or give mean or none",
        ),
        (
            {"models": {"NBEATS": {"calendar": True}, "PatchTST": {"calendar": False}, "GRU": {"calendar": False}}},
            "there are models that take no calendar: leave out the key calendar of NBEATS (true), PatchTST (false)",
        ),
        (
            {"models": ["PatchTST", "DLinear"], "calendar_as": "numbers"},
            "none of these models is told the calendar: leave out the key calendar_as (numbers)",
        ),
        ({"models": {"GRU": {"calendar": False}}, "calendar_as": "numbers"}, "leave out the key calendar_as (numbers)"),
        (
            {"models": "GRU", "steps": 10, "training": {"ranks": 2, "synchronisation": {"kind": "powersgd"}}},
            "warmup 10: GRU is trained for 10 steps, and all of them would add whole gradients; give less, or leave",
        ),
        ({"models": ["NHITZ"]}, "unknown model 'NHITZ'"),
        ({"models": {"GRU": {"options": {"hidden": 3}}}}, "unknown option of GRU 'hidden'"),
        ({"models": {"GRU": {"step": 3}}}, "my.yaml: unknown key 'models.GRU.step'"),
        ({"models": []}, "my.yaml: key 'models'"),
        ({"training": {"rank": 2}}, "my.yaml: unknown key 'training.rank'"),
        ({"training": {"reproducible": "elastic", "ranks": 3}}, "ranks 3: with `reproducible: elastic`, a power of 2"),
        (
            {"training": {"reproducible": "elastic", "shards": 6}},
            "shards 6: with `reproducible: elastic`, a power of 2",
        ),
        ({"training": {"reproducible": "elastic", "ranks": 8}}, "ranks 8: at most as many as shards (4)"),
        ({"training": {"shards": 8}}, "shards 8: they are of `reproducible: elastic`; give that, or leave them out"),
        (
            {"training": {"ranks": 2, "synchronisation": {"kind": "diloco", "outer_learning_rate": 1e30}}},
            "key 'training.synchronisation.outer_learning_rate': Input should be less than or equal to 10",
        ),
        (
            {"training": {"reproducible": "elastic", "ranks": 2, "synchronisation": {"kind": "diloco"}}},
            "synchronisation diloco cannot be had with `reproducible: elastic`",
        ),
        ({"training": {"synchronisation": {"kind": "fp16"}}}, "synchronisation fp16 needs ranks to synchronise"),
        ({"training": {"ranks": 2, "synchronisation": {"kind": "dilco"}}}, "did you mean 'diloco'?"),
        (
            {"training": {"ranks": 2, "synchronisation": {"kind": "fp16", "period": 2}}},
            "fp16 has no key period; it is one of post_local_sgd, hierarchical, diloco",
        ),
        ({"training": {"ranks": 2, "synchronisation": {"perod": 2}}}, "did you mean 'period'?"),
        (
            {"training": {"ranks": 4, "synchronisation": {"kind": "hierarchical", "across": 6}}},
            "across 6: a multiple of period 4 that is larger than it",
        ),
        (
            {"training": {"ranks": 4, "synchronisation": {"kind": "hierarchical", "ranks_per_node": 4}}},
            "ranks_per_node 4: 4 ranks are not several nodes",
        ),
        (
            {"training": {"ranks": 2, "synchronisation": {"kind": "powersgd", "warmup": 1}}},
            "warmup 1: powersgd begins after 2 steps at the earliest",
        ),
        ({"training": {"ranks": 2, "backend": "mpi4py"}}, "backend mpi4py carries `reproducible: elastic` alone"),
        ({"training": {"reproducible": "elastic", "backend": "gloo"}}, "`reproducible: elastic` is carried by mpi4py"),
        (
            {"training": {"reproducible": "elastic", "optimisation": {"accumulate": 2}}},
            "accumulate: `reproducible: elastic` computes shards one by one: give more of them",
        ),
        ({"training": {"reproducible": "elastic", "optimisation": {"compile": True}}}, "compile: what is compiled"),
        ({"training": {"optimisation": {"schedule": "cosin"}}}, "did you mean 'cosine'?"),
        (
            {
                "training": {"ranks": 2, "synchronisation": {"kind": "fsdp"}},
                "models": ["GRU", "FEDformer", "JointTimesNet"],
            },
            "synchronisation fsdp cannot train FEDformer, JointTimesNet: torch cannot deal out their weights",
        ),
        (
            {"training": {"ranks": 2, "backend": "nccl", "device": "cpu"}},
            "backend nccl: it is for the device cuda, and the device is cpu",
        ),
        ({"training": {"ranks": 2, "backend": "xccl", "device": "cuda"}}, "backend xccl: it is for the device xpu"),
        ({"training": {"device": "gpu"}}, "Input should be 'auto', 'cpu', 'cuda' or 'xpu'"),
        ({"training": {"precision": "bf16"}}, "did you mean 'bfloat16'?"),
        (
            {"models": ["GRU", "TimesNet", "FEDformer"], "training": {"precision": "bfloat16"}},
            "precision bfloat16 cannot train TimesNet, FEDformer, whose Fourier transforms accelerators compute in",
        ),
        (
            {"training": {"device": "cpu", "precision": "tf32"}},
            "precision tf32: it is for accelerators, and the device is cpu",
        ),
        ({"training": {"device": "xpu", "precision": "tf32"}}, "precision tf32: it is NVIDIA's, and the device is xpu"),
        (
            {"training": {"ranks": 2, "precision": "float16", "synchronisation": {"kind": "powersgd"}}},
            "precision float16: powersgd keeps what it did not send",
        ),
        ({"training": {"backend": "ncl"}}, "my.yaml: key 'training.backend'"),
        (
            {"models": "NHITS", "training": {"optimisation": {"patience": 5}}},
            "patience 5: with 6 validations it can never end the training of NHITS; give at most 4",
        ),
        (
            {"models": {"NHITS": {"validations": 2}}, "training": {"optimisation": {"patience": 1}}},
            "patience 1: with 2 validations it can never end the training of NHITS; leave it out, or give more",
        ),
        ({"horizon": 0}, "my.yaml: key 'horizon'"),
        ({"step": "1M"}, "my.yaml: key 'step': '1M' is no step: write it as 15m, 1h"),
        ({"input_size": 4}, "input_size 4 is too small for Autoformer (5)"),
        ({"split": [0.9, 0.2]}, "leaves nothing to test"),
        ({"dataset": "ett"}, "dataset ett needs the key path"),
        ({"dataset": "beijng"}, "my.yaml: key 'dataset': Input should be 'beijing', 'ett' or 'csv'"),
    ],
)
def test_mistakes(values, expected):
    with pytest.raises(ConfigError) as error:
        config(**values)
    assert expected in str(error.value)


def test_what_has_an_effect_may_be_said_though_it_is_usual():
    said = {"loss": "mae", "level": "last", "calendar": True}
    usual = json.loads(config(models="GRU").train_json("GRU"))
    assert json.loads(config(models={"GRU": said}).train_json("GRU")) == usual
    assert {key: usual[key] for key in said} == said
    for level in ("mean", "none"):
        assert json.loads(config(models={"DeepAR": {"level": level}}).train_json("DeepAR"))["level"] == level
    powersgd = {"ranks": 2, "synchronisation": {"kind": "powersgd"}}
    config(models="GRU", steps=11, training=powersgd)


def test_of_intervals_no_loss_is_told_that_nothing_is_learned_by():
    found = json.loads(config(models="GRU", intervals=[80]).train_json("GRU"))
    assert found["loss"] is None
    assert TrainConfig.model_validate(found).loss is None
    with pytest.raises(ValueError, match=r"quantiles alone: leave out the key loss \(mae\)"):
        TrainConfig.model_validate(found | {"loss": "mae"})
    assert TrainConfig(steps=1, learning_rate=1, batch_size=1).loss == "mae"


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ConfigError, match=r"did you mean 'PatchTST'\?"):
        config(models=["PathTST"])


def test_every_key_is_told_by_the_record_of_the_data_or_of_a_training():
    """Else the report refuses all results: no later stage has options of its own."""
    told = {*DataConfig.model_fields, *Forecasting.untold}
    assert {*ForecastingConfig.model_fields} == told
    trained = json.loads(config(intervals=[80]).train_json("GRU"))
    assert {"steps", "learning_rate", "batch_size", "seed", "intervals"} <= trained.keys()


def test_a_configuration_that_names_every_key_is_the_same_one():
    """As the report is handed it: two steps are fewer than the validations that nobody asked for."""
    read = ForecastingConfig.model_validate({"models": ["GRU"], "steps": 2})
    assert ForecastingConfig.model_validate(read.model_dump(mode="json")) == read
    read = config(models=["GRU", "DeepAR", "NBEATS"], intervals=[80])
    assert ForecastingConfig.model_validate(read.model_dump(mode="json")) == read
