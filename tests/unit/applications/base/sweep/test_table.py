"""The table of a sweep: means, spread, places, and what is called the best."""

import math
import re
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from deeprc.applications.base.sweep.collect import _csv, verdict
from deeprc.applications.base.sweep.report import Swept
from deeprc.applications.base.sweep.table import Spread, beyond, rows
from deeprc.applications.forecasting.application import Forecasting
from deeprc.core.files import write_json
from deeprc.reporting.page import environment
from deeprc.reporting.section import Results


def trial(name: str, seed: int, error: float | None, task: str = "t", **more: object) -> dict:
    values = {"models": name, "seed": seed, **more}
    return {"task": task, "values": values, "repeat": seed, "figures": {"loss": error, "mae": 2.0}}


def table(*trials: dict, better: str = "lower") -> list:
    return rows(trials, repeats="seed", goal="loss", better=better)


def several(name: str, *errors: float | None, **more) -> list[dict]:
    return [trial(name, seed, error, **more) for seed, error in enumerate(errors)]


def test_the_best_is_so_only_beyond_the_spread():
    clear = table(*several("A", 1.0, 1.1, 0.9), *several("B", 2.0, 2.1, 1.9))
    assert [(row.label, row.place, row.best) for row in clear] == [("A", 1, True), ("B", 2, None)]
    assert clear[0].figures["loss"] == Spread(1.0, pytest.approx(0.1), 3)
    close = table(*several("B", 1.0, 1.6, 0.8), *several("A", 1.0, 1.1, 0.9))
    assert [(row.label, row.best, row.alike) for row in close] == [("A", False, ["B"]), ("B", None, [])]
    (alone, _) = table(*several("A", 1.0), *several("B", 5.0))
    assert alone.best is None
    words = [verdict([vars(row)], "loss") for row in (clear[0], close[0], alone)]
    assert words == [
        "A is the best: its loss is ahead of all others' beyond the spread",
        "A comes first, but cannot be told from B: more seeds may tell",
        "A comes first; whether by more than chance is not known: give several seeds, and others",
    ]


def test_a_sweep_of_which_halving_left_nothing_says_so_in_the_reports_headline():
    ended = [vars(row) | {"place": None, "halved": 12} for row in table(*several("A", 1.0), *several("B", 2.0))]
    told = {"table": ended, "tasks": [{"task": "t", "label": "", "check": "c"}], "goal": "loss", "better": "lower"}
    section = Swept("forecasting").section(Results({**told, "trainings": 2}, {}), [])
    said = "Every trial was ended by halving; none is left to rank."
    summary = environment().get_template("summary.html.j2")
    page = summary.render(sections=[section], run=None, left_out=[], absent=[])
    assert (section.headline, section.unjudged) == (None, said) and said in page and "observed" not in page
    unknown = [row | {"halved": None} for row in ended]
    assert verdict(unknown, "loss") == "No trial that was trained to its end has a loss; none can be ranked"


def test_of_many_the_same_lead_is_less():
    """0.03 by chance is enough beside one, and not beside three."""
    best, other = (1.0, 1.1, 0.9), (1.22, 1.32, 1.12)
    assert LIMIT > beyond(Spread.of(best), Spread.of(other)) > LIMIT / 3
    assert table(*several("A", *best), *several("B", *other))[0].best
    assert not table(*several("A", *best), *(t for name in "BCD" for t in several(name, *other)))[0].best


LIMIT = 0.05


def test_higher_may_be_better_tasks_are_apart_and_what_is_not_known_comes_last():
    found = table(
        *several("A", 0.5, None), *several("B", 0.7, 0.8), *several("C", 0.1, 0.2),
        *several("A", 0.9, 0.9, task="u"), better="higher",
    )  # fmt: skip
    assert [(row.task, row.label, row.place) for row in found] == [
        ("t", "B", 1), ("t", "C", 2), ("t", "A", None), ("u", "A", 1)
    ]  # fmt: skip


def test_what_a_halving_ended_has_no_place_and_comes_last():
    found = table(trial("A", 1, 0.1) | {"halved": 20}, trial("B", 1, 0.5), trial("C", 1, 0.4))
    assert [(row.label, row.place, row.halved) for row in found] == [("C", 1, None), ("B", 2, None), ("A", None, 20)]


def test_equal_repetitions_are_told_apart_by_their_means_alone():
    assert table(*several("A", 1.0, 1.0), *several("B", 1.0, 1.0))[0].best is False
    assert table(*several("A", 1.0, 1.0), *several("B", 1.5, 1.5))[0].best is True


NUMBERS = st.lists(st.floats(-100, 100), min_size=2, max_size=8).filter(lambda values: len({*values}) > 1)


@given(NUMBERS, NUMBERS)
def test_the_chance_is_that_of_welchs_test(one, other):
    mine, theirs = Spread.of(one), Spread.of(other)
    if min(mine.sd, theirs.sd) < 1e-6:
        return
    wanted = stats.ttest_ind(one, other, equal_var=False).pvalue / 2
    assert math.isclose(beyond(mine, theirs), wanted, rel_tol=1e-4, abs_tol=1e-6)


def test_headings_of_forecasts_are_those_of_other_tables_with_crps_and_coverage_of_intervals(tmp_path):
    """`mae` was the key that says a table is sorted by it, which that of a sweep is not."""
    (tmp_path / "models" / "GRU").mkdir(parents=True)
    write_json(tmp_path / "models" / "GRU" / "model.json", {"validation_loss": [[1, 0.5], [2, 0.25], [3, 0.375]]})
    told = {"mae": 1.5, "rmse": 2.5, "smape": 8.0, "mase": None, "wql": 0.125}
    wanted = {"validation loss": 0.25, "MAE": 1.5, "RMSE": 2.5, "MASE": None}
    write_json(tmp_path / "metrics.json", {"models": {"GRU": told}})
    assert Forecasting().figures(tmp_path) == wanted
    told |= {"crps": 0.75, "coverage": {"80": 0.8125, "99.5": 0.96875}, "width": {"80": 3.0, "99.5": 6.0}}
    write_json(tmp_path / "metrics.json", {"models": {"GRU": told}})
    figures = Forecasting().figures(tmp_path)
    assert figures == wanted | {"CRPS": 0.75, "coverage of 80 %": 0.8125, "coverage of 99.5 %": 0.96875}

    values = {"models": "GRU", "seed": 1}
    found = rows([{"task": "t", "values": values, "repeat": 1, "figures": figures}], repeats="seed",
                 goal="validation loss", better="lower")  # fmt: skip
    head, row = _csv(found, {"t": ""}, "seed").splitlines()
    assert head.endswith(
        "seeds,validation loss,validation loss sd,MAE,MAE sd,RMSE,RMSE sd,MASE,MASE sd,CRPS,CRPS sd,"
        "coverage of 80 %,coverage of 80 % sd,coverage of 99.5 %,coverage of 99.5 % sd"
    )
    assert row.endswith(",1,0.25,,1.5,,2.5,,,,0.75,,0.8125,,0.96875,")
    section = Swept("forecasting").section(
        Results({"goal": "validation loss", "better": "lower", "trainings": 1, "tasks": [{"task": "t", "label": ""}],
                 "table": [asdict(one) for one in found]}, {}), [])  # fmt: skip
    template = environment(section.package).from_string('{% import "macros.html.j2" as m %}{% include template %}')
    page = template.render(section=section, template=f"{section.package}/{section.template}")
    headings = re.findall(r'<th scope="col"[^>]*><button[^>]*>([^<]+)</button>', page)
    assert [one for one in headings if one != "±"] == [
        "Place", "Options", "Seeds", "Validation loss", "MAE", "RMSE", "MASE", "CRPS", "Coverage of 80 %",
        "Coverage of 99.5 %",
    ]  # fmt: skip
    assert "aria-sort" not in page
