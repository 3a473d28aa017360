from snakemake_executor_plugin_radical_pilot.foretelling import PilotRow, table


def test_pilots_and_what_they_cost():
    rows = [
        PilotRow("cpu", "cpu", 2, 128, 0, 90, 0, 3, 4, {"prepare": 2, "train": 10}),
        PilotRow("gpu", "booster", 1, 48, 4, 60, 1, 1, 1, {"fit": 1}),
    ]
    assert table(rows, unknown=2) == (
        "pilot  partition  nodes  cores  accelerators  minutes  at once  node-hours  jobs\n"
        "cpu    cpu            2    128             0       90      0-3    3.0 each  12: prepare 2, train 10\n"
        "gpu    booster        1     48             4       60        1    1.0 each  1: fit 1\n"
        "at most 10.0 node-hours; 37.0 where each pilot is replaced as often as it may be\n"
        "2 jobs ask for what is known once others have run"
    )


def test_one_pilot_that_nothing_follows():
    text = table([PilotRow("pilot", "debug", 1, 2, 2, 30, 1, 1, 1, {"a": 3})])
    assert text.splitlines()[-1] == "at most 0.5 node-hours"
