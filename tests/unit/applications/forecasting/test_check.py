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
