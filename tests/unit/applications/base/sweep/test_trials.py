"""What a sweep's key becomes: its trials, and what is refused before anything queues."""

import json
from datetime import date
from pathlib import Path

import pytest

from deeprc.applications.base.application import Application
from deeprc.applications.base.sweep.config import Sweep
from deeprc.applications.base.sweep.trials import trials
from deeprc.applications.config import load_config
from deeprc.core.errors import ConfigError
from deeprc.workflow.rules import as_json


def cases(sweep: dict, application: str = "forecasting", **options) -> list:
    config = load_config({"pipelines": [application], application: options, "sweep": {application: sweep}})
    return config.cases(config.applications()[0])


def labels(sweep: dict, **options) -> list[str]:
    return [case.label for case in cases(sweep, **options)]


def refused(sweep: dict, **options) -> str:
    with pytest.raises(ConfigError) as error:
        cases(sweep, **options)
    return str(error.value)


def test_a_grid_is_all_combinations_with_the_seeds_of_each_beside_each_other():
    over = {"models": ["NHITS", "GRU"], "seed": [1, 2], "horizon": [6, 12]}
    assert labels({"over": over}) == [
        f"{model}, horizon {horizon}, seed {seed}"
        for model in ("NHITS", "GRU")
        for horizon in (6, 12)
        for seed in (1, 2)
    ]


def test_what_the_configuration_says_of_a_model_stays_and_what_is_tried_of_one_model_is_of_no_other():
    over = {"models": ["NHITS", "GRU"], "models.GRU.options.encoder_hidden_size": [16, 32]}
    found = cases({"over": over}, models={"NHITS": {"steps": 7}, "GRU": {"steps": 8}})
    assert [case.label for case in found] == ["NHITS", "GRU, encoder_hidden_size 16", "GRU, encoder_hidden_size 32"]
    assert [next(iter(case.options.models.values())).steps for case in found] == [7, 8, 8]


def test_what_changes_nothing_of_a_trial_is_not_said_of_it():
    """NHITS has a learning rate of its own: those that are tried are of the others."""
    tried = {"over": {"models": ["NHITS", "GRU"], "learning_rate": [0.01, 0.02]}}
    found = cases(tried, models={"NHITS": {"learning_rate": 0.005}, "GRU": {}})
    assert [case.label for case in found] == ["NHITS", "GRU, learning_rate 0.01", "GRU, learning_rate 0.02"]
    drawn = {"draw": 8, "over": {**tried["over"], "learning_rate": {"least": 0.01, "most": 0.02}, "seed": [1, 2]}}
    for case in cases(drawn, models={"NHITS": {"learning_rate": 0.005}, "GRU": {}}):
        assert ("learning_rate" in case.values) is (case.values["models"] == "GRU")
        assert case.values["seed"] in (1, 2)


def test_values_that_can_only_be_together_are_tried_together_and_are_said():
    over = {
        "models": ["NHITS"],
        "training.optimisation.validations": [12, 20],
        "training.optimisation.patience": [6, 8],
    }
    assert len(cases({"over": over})) == 4
    assert len(cases({"over": {"models": ["NHITS", "GRU"], "training.precision": ["bfloat16"]}})) == 2
    other_order = {"over": {"models": ["NHITS"], "intervals": [[80, 95], [95, 80]]}}
    assert labels(other_order) == ["NHITS, intervals [80, 95]"]


def test_all_models_of_the_configuration_are_tried_where_the_sweep_names_none():
    assert labels({"over": {"seed": [1, 2]}}, models=["TCN", "GRU"]) == [
        "TCN, seed 1", "TCN, seed 2", "GRU, seed 1", "GRU, seed 2"
    ]  # fmt: skip


def test_trials_share_prepared_data_and_keep_their_folder_whatever_else_is_tried():
    few = cases({"over": {"models": ["GRU"], "seed": [1]}})
    many = cases({"over": {"models": ["NHITS", "GRU"], "horizon": [24, 12], "seed": [2, 1]}})
    assert few[0].folder in {case.folder for case in many}
    assert len({case.folder for case in many}) == 8 and len({case.prepared for case in many}) == 2


def test_another_draw_or_another_key_changes_nothing_of_what_was_drawn():
    rate = {"learning_rate": {"least": 1e-4, "most": 1e-2, "scale": "log"}}
    two, three = (cases({"over": rate, "draw": draw}, models=["GRU"]) for draw in (2, 3))
    more = cases({"over": rate | {"batch_size": {"least": 8, "most": 64}}, "draw": 2}, models=["GRU"])
    drawn = [case.values["learning_rate"] for case in two]
    assert [case.folder for case in three][:2] == [case.folder for case in two] and len(three) == 3
    assert [case.values["learning_rate"] for case in more] == drawn and all(1e-4 <= one <= 1e-2 for one in drawn)
    assert all(isinstance(case.values["batch_size"], int) for case in more)


def test_ranks_are_by_cost_and_change_nothing_else():
    over = {"models": ["NBEATS", "GRU", "VanillaTransformer"], "steps": [100]}
    plain, shared = cases({"over": over}), cases({"over": over, "ranks": 4})
    assert [case.options.training.ranks for case in shared] == [1, 2, 4]  # 6.5, 27.1 and 28.2 ms a step
    assert [case.folder for case in plain] == [case.folder for case in shared]


def test_trials_that_synchronise_have_two_ranks_at_least():
    """A cheap one was given a single rank, and the whole sweep refused for it."""
    over, local = {"models": ["NBEATS", "GRU", "VanillaTransformer"]}, {"kind": "post_local_sgd"}
    shared = cases({"over": over, "ranks": 4}, training={"ranks": 2, "synchronisation": local}, steps=100)
    assert [case.options.training.ranks for case in shared] == [2, 2, 4]


def test_hydrology_has_the_defaults_of_the_variant_that_is_tried():
    small, paper = cases({"over": {"variant": ["small", "paper"]}}, "hydrology")
    assert (small.options.units, paper.options.units) == (48, 320)


@pytest.mark.parametrize(
    ("sweep", "problem"),
    [
        ({"over": {"horizen": [1]}}, "unknown key 'horizen'"),
        ({"over": {"horizen": [1]}}, "did you mean 'horizon'?"),
        ({"over": {"clip": [1]}}, "did you mean 'training.optimisation.clip'?"),
        ({"over": {"models.GRU.stepz": [1]}}, "did you mean 'steps'?"),
        ({"over": {"models": ["NHITZ"]}}, "trial NHITZ: unknown model 'NHITZ'"),
        ({"over": {"models": [["GRU", "TCN"]]}}, "a trial of a sweep has one model"),
        ({"over": {"models": ["GRU"], "models.TCN.steps": [1, 2]}}, "models.TCN.steps: no trial has it"),
        ({"over": {"threads": [1, 2]}}, "threads: its values lead to the same results"),
        ({"over": {"path": ["other.csv"]}}, "path: its values lead to the same results"),
        ({"over": {"horizon": [-1]}}, "trial NBEATS, horizon -1: key 'horizon': Input should be greater than 0"),
        ({"over": {"seed": [1, 2, 3, 4, 5]}}, "this sweep would start 55 trainings\n  expected: at most 50 "),
        ({"over": {"seed": [*range(10**5)]}}, "this sweep would start 1,100,000 trainings"),
        ({"over": {"steps": {"least": 1, "most": 2}}}, "steps: a range is for a random search\n  fix: give `draw`"),
        ({"over": {"steps": {"least": 3, "most": 2}}, "draw": 1}, "least 3: it must be below most (2)"),
        ({"over": {"training.optimisation.halving": [{}, {"first": 2}]}}, "is what the sweep's key `halving`"),
        ({"over": {"training.optimisation": [{"clip": 1}, {"clip": 2}]}, "halving": {}}, "the sweep's key `halving`"),
        ({"ovr": {"seed": [1]}}, "unknown key 'sweep.forecasting.ovr'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(sweep, problem):
    assert problem in refused(sweep)


@pytest.mark.parametrize(
    ("over", "models"),
    [
        ({"models.GRU.loss": ["mae", "mse"]}, ["GRU"]),
        ({"seed": [1, 2]}, {"GRU": {"loss": "mse"}, "NHITS": {}}),
    ],
)
def test_trials_that_are_measured_in_different_ways_are_refused(over, models):
    """The smaller of a squared and of an absolute error says nothing."""
    found = refused({"over": over}, models=models)
    assert "the validation loss of these trials is measured in different ways, and cannot be compared" in found
    assert ": mae" in found and ": mse" in found
    assert len(cases({"over": {"models.GRU.loss": ["mse"], "seed": [1, 2]}}, models=["GRU"])) == 2


def test_trials_that_leave_nothing_to_rank_by_are_refused():
    problem = "a sweep ranks its trials by the validation part, which with_validation learns from"
    assert problem in refused({"over": {"seed": [1, 2]}}, models=["GRU"], with_validation=True)
    assert problem in refused({"over": {"with_validation": [True, False]}}, models=["GRU"])


def test_halving_is_an_option_of_the_trials_which_whole_trainings_are_not_taken_for():
    over = {"models": ["GRU"], "learning_rate": [0.1, 0.2]}
    whole, halved = cases({"over": over}), cases({"over": over, "halving": {"factor": 3}})
    assert [case.options.training.optimisation.halving.factor for case in halved] == [3, 3]
    assert not {case.folder for case in whole} & {case.folder for case in halved}


def test_trials_of_a_halving_compare_with_those_of_the_same_sweep_alone():
    """Those that an earlier sweep with other options left ended every one of a second sweep."""

    def study(over: dict | None = None, **options: object) -> str:
        over = over or {"learning_rate": [0.1, 0.2]}
        found = cases({"over": over, "halving": {}}, **{"models": ["GRU", "TCN"], **options})
        (one,) = {case.options.training.optimisation.halving.sweep for case in found}
        return one

    first = study()
    same = [
        study({"learning_rate": [0.1, 0.3, 0.2]}),  # a trial more, or less
        study({"models": ["GRU"], "learning_rate": [0.1]}),
        study(models=["GRU"]),
        study(learning_rate=0.7),  # is what is varied
        study(threads=3, training={"ranks": 2}),
    ]
    assert {*same} == {first}
    others = [
        study(steps=7), study(batch_size=8), study(seed=2), study(intervals=[80]), study(horizon=7),
        study({"learning_rate": [0.1], "batch_size": [8, 16]}), study({"learning_rate": [0.1], "seed": [4]}),
        study(models={"GRU": {"loss": "mse"}, "TCN": {"loss": "mse"}}), study(models={"GRU": {"steps": 9}}),
        study(training={"optimisation": {"validations": 4}}), study(training={"precision": "bfloat16"}),
    ]  # fmt: skip
    assert len({first, *others}) == 12


@pytest.mark.parametrize(
    ("application", "over", "problem"),
    [
        ("forecasting", {"seed": [1, 2]}, "goes with one seed: of several only the lucky ones would be left"),
        (
            "hydrology",
            {"units": [8, 9]},
            "key 'sweep.hydrology.halving': successive halving is of trainings in PyTorch",
        ),
    ],
)
def test_what_cannot_be_halved_is_refused(application, over, problem):
    with pytest.raises(ConfigError, match=problem):
        cases({"over": over, "halving": {}}, application)


def test_halving_without_a_sweep_is_refused():
    training = {"optimisation": {"halving": {"first": 1}}}
    with pytest.raises(ConfigError, match=r"halving': it is for the trials of a sweep"):
        load_config({"pipelines": "forecasting", "forecasting": {"training": training}})


def test_a_sweep_of_a_pipeline_that_does_not_run_is_refused():
    with pytest.raises(ConfigError, match=r"key 'sweep.hydrology': this pipeline does not run"):
        load_config({"pipelines": "forecasting", "sweep": {"hydrology": {"over": {"units": [8, 9]}}}})


def test_what_is_tried_already_as_configured_is_no_mistake():
    assert labels({"over": {"horizon": [24], "seed": [1, 2]}}, models=["GRU"]) == [
        "GRU, horizon 24, seed 1", "GRU, horizon 24, seed 2"
    ]  # fmt: skip


def test_days_as_yaml_gives_them_are_the_same_trials_to_the_stage_that_makes_the_table():
    """It is given options and sweep as JSON."""
    parts = [[date(2000, 1, 1), date(2001, 1, 1)], [date(2000, 2, 1), date(2001, 1, 1)]]
    values = {
        "pipelines": ["hydrology"],
        "hydrology": {"split_dates": parts[0]},
        "sweep": {"hydrology": {"over": {"split_dates": parts, "seed": [1, 2]}}},
    }
    config = load_config(values)
    (application,) = config.applications()
    given, sweep = json.loads(as_json(config.given(application))), config.swept(application).model_dump_json()
    there = trials(application, given, Sweep.model_validate_json(sweep), Path("results/hydrology"), "--sweep")
    assert [(case.label, case.folder) for case in there] == [
        (case.label, case.folder) for case in config.cases(application)
    ]
    assert there[0].label == 'split_dates ["2000-01-01", "2001-01-01"], seed 1'


def test_an_application_without_a_figure_to_rank_by_is_not_swept():
    made = Application()
    made.name = "digits"
    with pytest.raises(ConfigError, match=r"key 'sweep.digits': this application has no figure that trials"):
        trials(made, {}, Sweep(over={"seed": [1, 2]}), Path("results/digits"), "mine.yaml")
