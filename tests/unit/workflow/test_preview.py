"""The table of `-n`, word for word."""

from __future__ import annotations

from deeprc.workflow.preview import WIDTH, Row, joined, table

MANY = [f"Model{number}" for number in range(20)]


def test_a_line_for_each_stage_and_reason_long_ones_wrapped_below_their_column():
    rows = [Row("check", "", "horizon 24 → 48"), *(Row("train", name, "not made yet") for name in MANY)]
    text = table([*rows, Row("predict", "GRU", ""), Row("report", "", "")])
    assert text.splitlines() == [
        "stage    jobs  why",
        "check       1  horizon 24 → 48",
        "train      20  not made yet: Model0, Model1, Model10, Model11, Model12, Model13, Model14, Model15, Model16,"
        " Model17,",
        "               Model18, Model19, Model2, Model3, Model4, Model5, Model6, Model7, Model8, Model9",
        "predict     1  follows from the above: GRU",
        "report      1  follows from the above",
        "in all     23",
    ]
    assert max(map(len, text.splitlines())) <= WIDTH


def test_many_reasons_are_counted():
    assert joined(["a", "b", "c"]) == "a; b; c"
    assert joined(["a", "b", "c", "d", "e"]) == "a; b; c and 2 more"
