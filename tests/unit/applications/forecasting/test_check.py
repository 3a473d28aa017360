"""The stage `check`: what it refuses, what it tells, and what it writes down."""

import json
import os
from pathlib import Path

import pytest

from deeprc.applications.forecasting import check
from deeprc.applications.forecasting.config import DataConfig
from deeprc.core.errors import InputError


@pytest.fixture
def checked(tmp_path):
    """A function: check.json for a text and some options, with horizon 2 and input_size 4."""

    def run(text: str, **options) -> dict:
        (tmp_path / "own.csv").write_text(text)
        config = DataConfig(**{"dataset": "csv", "target": "load", "horizon": 2, "input_size": 4, **options})
        check.main(tmp_path / "own.csv", config.model_dump_json(), tmp_path / "check.json")
        return json.loads((tmp_path / "check.json").read_text())

    return run


def table(load: list[object], wind: list[object] | None = None) -> str:
    lines = [f"2020-01-{1 + i // 24:02d}T{i % 24:02d}:00;{value}" for i, value in enumerate(load)]
    if wind is not None:
        lines = [f"{line};{value}" for line, value in zip(lines, wind, strict=True)]
    return "\n".join(["date;load" + ";wind" * (wind is not None), *lines]) + "\n"


def test_what_was_found_is_written_down_and_told(checked, capsys):
    text = table([f"{i % 5},5" for i in range(48)], ["NA"] * 48).replace("load;wind", "load;wind;").replace("NA", "NA;")
    found = checked(text, title="The load")
    notices = ["columns left out, without any value: wind"]
    assert {key: found[key] for key in ("dataset", "target", "rows", "step", "missing", "notices")} == {
        "dataset": "The load", "target": "load", "rows": 48, "step": "1 hour", "missing": {"y": 0}, "notices": notices,
    }  # fmt: skip
    assert capsys.readouterr().out.splitlines()[0] == f"note: {notices[0]}"


def test_a_target_absurdly_far_from_the_training_part(checked, tmp_path):
    values = [i % 5 for i in range(40)] + [1e12] * 8
    with pytest.raises(InputError) as error:
        checked(table(values))
    assert str(error.value).replace(str(tmp_path), "") == (
        "/own.csv: the target goes absurdly far from all values of the training part\n"
        "  found: 1e+12 at 2020-01-02 16:00:00 (8 such values in all)\n"
        "  expected: values like those of the training part, 0 to 4\n"
        "  fix: correct it; if it means a missing value, add it to the key 'missing': [\"1e+12\"]; "
        "if it is right, choose another split"
    )
    assert not (tmp_path / "check.json").exists()
    assert checked(table([*values[:-1], 3]), missing=["1e+12"])["missing"] == {"y": 7}  # the cure works


def test_a_target_far_beyond_the_training_part_is_told(checked):
    values = [i % 5 for i in range(40)] + [3, -9999, 16, 17, 3, 2, 999, 1]
    assert checked(table(values), missing=[])["notices"] == [
        "3 values of the target far beyond the training part: -9999 at 2020-01-02 17:00:00, where it has 0 to 4; "
        "no model has learned such values, and they may rule all figures of the errors"
    ]
    assert checked(table([*values[:40], *[16, -12] * 4]))["notices"] == []  # thrice as far as it reaches


def test_a_target_that_stands_still_and_a_covariate_that_is_cut_off(checked):
    assert checked(table([5] * 40 + [6] * 8, [1, 2] * 22 + [1e7] * 4))["notices"] == [
        "the series: no two values of the training part lie a season (24 hours) apart and differ: MASE is not known",
        "the target has one single value in the training part: nothing can be learned of it",
        "far from all values of the training part, and cut off at 10,000 deviations from their mean: "
        "4 values of the covariate 'wind'",
    ]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused_before_it_is_read(tmp_path, kind):
    path = Path(tmp_path) / kind
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(InputError, match=f"{kind}: is (a folder|no plain file)"):
        check.main(path, DataConfig(dataset="csv", target="load").model_dump_json(), tmp_path / "check.json")


def test_times_that_are_not_in_the_file_are_told(checked):
    text = "\n".join(line for line in table([i % 5 for i in range(48)]).splitlines() if "T03:" not in line)
    found = checked(text)
    assert (found["absent_rows"], found["notices"]) == (
        2,
        ["2 of 48 times, from the first to the last, are not in the file: they are gaps"],
    )


def test_any_names_of_covariates_stand_beside_each_other(checked):
    # Of these names the check once made names of its own: "wind:still" was taken for whether the wind stands still.
    words = ("mean", "spread", "still", "far")
    lines = [f"2020-01-{1 + i // 24:02d}T{i % 24:02d}:00;{i % 5}" + f";{i % 3}" * (1 + len(words)) for i in range(48)]
    text = "\n".join(["date;load;wind" + "".join(f";wind:{word}" for word in words), *lines])
    assert list(checked(text)["missing"]) == ["y", "wind", *(f"wind:{word}" for word in words)]


def test_what_mase_measures_by_is_told_where_there_is_none(checked):
    told = "the series: no two values of the training part lie a season ({}) apart and differ: MASE is not known"
    text = table([i % 5 for i in range(48)])  # 33 to train, 38 before the test part
    assert checked(text, season=36)["notices"] == [told.format("36 hours")]
    assert checked(text, season=5)["notices"] == [told.format("5 hours")]
    assert checked(table(["" if i % 4 else i for i in range(48)]), season=6)["notices"] == [told.format("6 hours")]
    assert checked(text, season=6)["notices"] == []


def test_a_covariate_without_a_value_in_the_training_part(checked):
    """Whatever it is later would reach the models without a scale: 28 of 40 rows train."""
    load, wind = [i % 5 for i in range(40)], ["NA"] * 28 + [1000 + i for i in range(12)]
    notice = "the covariate 'wind' has no value in the training part: it is left out"
    found = checked(table(load, wind))
    assert found["notices"] == [notice] and found["missing"] == {"y": 0}
    with pytest.raises(InputError, match="'wind' has no value in the training part: nothing can be") as error:
        checked(table(load, wind), covariates=["wind"])
    assert error.value.found == "its first value at 2020-01-02 04:00:00, the training part ends at 2020-01-02 03:00:00"


def test_a_covariate_that_is_the_target(checked):
    load = [i % 5 for i in range(40)]
    told = "the covariate 'wind' is the target once more: it tells nothing that the target does not"
    assert checked(table(load, load))["notices"] == [told]
    assert checked(table(load, load[::-1]))["notices"] == []


def test_a_covariate_that_begins_late(checked):
    load, wind = [i % 5 for i in range(40)], ["NA"] * 10 + [3 * i for i in range(30)]
    told = "begins late (2020-01-01 10:00:00); before that it stands at its mean"
    assert checked(table(load, wind))["notices"] == [f"the series: the covariate 'wind' {told}"]


def test_a_covariate_that_one_of_two_series_has_too_late(checked):
    rows = [f"{name};{line}" for name in "ab" for line in table([i % 5 for i in range(40)], range(40)).split()[1:]]
    rows = [row.rpartition(";")[0] + ";NA" if row[0] == "b" and row < "b;2020-01-02T12" else row for row in rows]
    found = checked("\n".join(["unique_id;date;load;wind", *rows]) + "\n")
    who = "1 of 2 series (b): the covariate 'wind' has no value in the training part, and is taken as unknown"
    assert found["notices"] == [who] and found["missing"] == {"y": 0, "wind": 40}


def test_the_split_loses_no_row_by_rounding(checked):
    """0.7 of 700 is 489.99999999999994 where it is computed."""
    assert checked(table([i % 5 for i in range(700)]))["parts"] == {"train": 490, "val": 70, "test": 140}


def test_training_needs_a_value_after_the_first_one(checked):
    """A forecast that begins before any value is known would be made of what it is to tell."""
    load = ["NA"] * 20 + [3] + ["NA"] * 9 + [i % 5 for i in range(10)]
    with pytest.raises(InputError, match="the train part has no value of the target"):
        checked(table(load))
