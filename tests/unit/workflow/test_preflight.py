"""What the checks have found is held against the options of later stages, at every start, before anything queues."""

import time
from datetime import datetime

import polars as pl
import pytest

from deeprc.applications.config import load_config
from deeprc.applications.forecasting.grid import Grid
from deeprc.applications.forecasting.step import HOUR, TimeStep
from deeprc.applications.hydrology.alone import alone
from deeprc.core.files import write_json
from deeprc.core.fingerprint import KEY, part_of
from deeprc.workflow import preflight
from deeprc.workflow.expected import expected, record


def started(tmp_path, options: dict, **checked) -> None:
    """A start of one pipeline whose data were checked before, and found to be as `checked` says."""
    (name,) = options
    data = tmp_path / "data.csv"
    data.write_text("date,y\n")
    config = load_config({"pipelines": [name], "results": str(tmp_path), name: {"path": str(data), **options[name]}})
    (tmp_path / name).mkdir(exist_ok=True)
    write_json(
        tmp_path / name / "check.json", {**checked, KEY: part_of(expected(config)[config.applications()[0].name])}
    )
    preflight.run(config, lambda line: None)


OWN = {"dataset": "csv", "columns": {"date": "d", "discharge": "q", "rain": "p"}, "discharge_unit": "mm/day"}


def test_an_entity_aware_network_of_a_lone_basin_is_refused_before_anything_queues(tmp_path):
    """Also where the data were checked for another network; what has no lone basin, or another network, goes on."""
    aware = {"hydrology": {**OWN, "variant": "entity-aware"}}
    with pytest.raises(preflight.PreflightError) as error:
        started(tmp_path, aware, alone=["fulda"])
    assert str(error.value).splitlines() == [
        "nothing was started, and earlier results are as they were",
        "REFUSED: the river data",
        "  | an entity-aware network is for several basins: their attributes open its gates",
        "  |   found: fulda: without its like, with a network of its own",
        "  |   expected: basins with the same inputs and the same unit",
        "  |   fix: take the variant small, or leave it out (key 'basins')",
    ]
    started(tmp_path, aware, alone=[])
    started(tmp_path, {"hydrology": OWN}, alone=["fulda"])


def test_series_of_other_times_are_refused_to_a_joint_model_alone(tmp_path):
    own = {"dataset": "csv", "time": "date", "target": "y"}
    with pytest.raises(preflight.PreflightError, match="iTransformer forecasts all series together") as error:
        started(
            tmp_path, {"forecasting": {**own, "models": ["NHITS", "iTransformer"]}}, series_of_other_times=["a", "b"]
        )
    assert "  |   found: a and b" in str(error.value)
    started(tmp_path, {"forecasting": {**own, "models": ["NHITS"]}}, series_of_other_times=["a", "b"])
    started(tmp_path, {"forecasting": {**own, "models": ["iTransformer"]}}, series_of_other_times=None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 41}, "the batch_size of NHITS is larger than all that it is to learn from"),
        ({"models": {"NHITS": {"batch_size": 41}}}, "of NHITS is larger"),
        ({"models": {"NHITS": {"batch_size": 40}, "iTransformer": {"batch_size": 40}}}, "of iTransformer is larger"),
        ({"models": {"NHITS": {"batch_size": 40}, "iTransformer": {"batch_size": 20}}}, None),
        ({"models": ["NHITS", "iTransformer"]}, None),  # what is usual
    ],
)
def test_a_batch_of_ones_own_that_is_larger_than_the_training_part_is_refused(options, said, tmp_path):
    options = {"dataset": "csv", "time": "date", "target": "y", "models": ["NHITS"], **options}
    windows = {"each": 40, "together": 20}
    if said is None:
        started(tmp_path, {"forecasting": options}, training_windows=windows)
        return
    with pytest.raises(preflight.PreflightError, match=said) as error:
        started(tmp_path, {"forecasting": options}, training_windows=windows)
    there = 20 if "iTransformer" in said else 40
    assert f"  |   expected: at most the {there} windows of the training part" in str(error.value)


def test_a_batch_may_be_as_large_as_both_parts_where_both_are_learned_from(tmp_path):
    options = {"dataset": "csv", "time": "date", "target": "y", "models": ["NHITS"], "with_validation": True}
    windows = {"training_windows": {"each": 40}, "windows_with_validation": {"each": 50}}
    started(tmp_path, {"forecasting": {**options, "batch_size": 50}}, **windows)
    with pytest.raises(preflight.PreflightError, match="of NHITS is larger") as error:
        started(tmp_path, {"forecasting": {**options, "batch_size": 51}}, **windows)
    assert "  |   expected: at most the 50 windows of the training and validation part" in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 61}, "the batch_size is larger than all that a network is to learn from\n  |   found: 61\n"),
        ({"batch_size": 60}, None),  # that of the other network is cut
        ({}, None),  # what is usual, 128
        ({"variant": "paper"}, None),
        ({"training": {"ranks": 8}}, "than its training has ranks\n  |   found: 5 in the training part, 8 ranks\n"),
        ({"training": {"ranks": 5}}, None),
        ({"training": {"reproducible": "elastic", "shards": 8}}, "found: 5 in the training part, 8 shards\n"),
    ],
)
def test_a_river_is_trained_by_as_many_windows_as_there_are(options, said, tmp_path):
    if said is None:
        started(tmp_path, {"hydrology": {**OWN, **options}}, training_windows=[5, 60])
        return
    with pytest.raises(preflight.PreflightError) as error:
        started(tmp_path, {"hydrology": {**OWN, **options}}, training_windows=[5, 60])
    assert said in str(error.value)


def test_trials_of_a_sweep_are_held_against_their_own_data_and_not_against_those_of_a_run_before(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("date,y\n")
    options = {"path": str(data), "dataset": "csv", "time": "date", "target": "y", "models": ["NHITS", "iTransformer"]}
    sweep = {"forecasting": {"over": {"seed": [1, 2]}}}
    config = load_config(
        {"pipelines": ["forecasting"], "results": str(tmp_path), "forecasting": options, "sweep": sweep}
    )
    (application,) = config.applications()
    common = expected(config)["forecasting"]

    def checked(apart: list[str] | None) -> None:
        for case in config.cases(application):
            case.prepared.mkdir(parents=True, exist_ok=True)
            write_json(
                case.prepared / "check.json", {"series_of_other_times": apart, KEY: part_of(record(case, common))}
            )

    (tmp_path / "forecasting").mkdir()
    write_json(tmp_path / "forecasting" / "check.json", {"series_of_other_times": ["x", "y"]})
    checked(None)
    preflight.run(config, lambda line: None)
    checked(["a", "b"])
    with pytest.raises(preflight.PreflightError) as error:
        preflight.run(config, lambda line: None)
    assert str(error.value).count("REFUSED: ") == str(error.value).count("  |   found: a and b") == 1


def test_many_checks_take_turns(tmp_path, monkeypatch):
    """A sweep has one for each of its tasks; each holds the data in memory, on the node where people log in."""
    running, most = [], []

    def check(step, say):
        running.append(step)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()

    config = load_config({"pipelines": ["forecasting"], "results": str(tmp_path)})
    monkeypatch.setattr(preflight, "steps", lambda config: ([], [*range(12)]))
    monkeypatch.setattr(preflight, "_do", check)
    preflight.run(config, lambda line: None)
    assert len(most) == 12 and max(most) <= preflight.AT_ONCE


def test_lone_basins_are_those_of_whose_kind_there_is_no_other():
    assert alone({"a": ("mm", "rain"), "b": ("mm", "rain"), "c": ("m3/s", "rain")}) == ["c"]


@pytest.mark.parametrize(
    ("first", "length", "apart"),
    [((2020, 1, 1), 50, None), ((2020, 1, 2), 50, ["a", "c"]), ((2020, 1, 1), 49, ["a", "c"])],
)
def test_series_are_apart_where_they_begin_or_end_at_other_times(first, length, apart):
    rows = [("a", datetime(2020, 1, 1), 50), ("b", datetime(2020, 1, 1), 50), ("c", datetime(*first), length)]
    begins = [0, 50, 100]
    series = [
        {
            "id": name,
            "first": begin,
            "begin": at,
            "val": at + rows * 6 // 10,
            "test": at + rows * 8 // 10,
            "end": at + rows,
        }
        for (name, begin, rows), at in zip(rows, begins, strict=True)
    ]
    assert Grid(TimeStep(us=HOUR), 24, pl.DataFrame(series), []).apart == apart
