import pytest

from deeprc.applications.forecasting.step import TimeStep


@pytest.mark.parametrize(
    ("text", "step", "season", "ahead", "cycle"),
    [
        ("15m", "15 minutes", 96, "24 steps (6 hours)", "96 steps (24 hours)"),
        ("15 min", "15 minutes", 96, "24 steps (6 hours)", "96 steps (24 hours)"),
        ("h", "1 hour", 24, "24 hours", "24 hours"),
        ("1d", "1 day", 7, "24 days", "7 days"),
        ("7d", "1 week", 52, "24 weeks", "52 weeks"),
        ("1mo", "1 month", 12, "24 months", "12 months"),
        ("1q", "1 quarter", 4, "24 quarters", "4 quarters"),
        ("3 months", "1 quarter", 4, "24 quarters", "4 quarters"),
        ("6mo", "6 months", 2, "24 steps (144 months)", "2 steps (12 months)"),
        ("1y", "1 year", 1, "24 years", "1 year"),
        ("2w", "2 weeks", 26, "24 steps (48 weeks)", "26 steps (52 weeks)"),
        ("30s", "30 seconds", 120, "24 steps (12 minutes)", "120 steps (1 hour)"),
        ("7h", "7 hours", 24, "24 steps (168 hours)", "24 steps (168 hours)"),  # no day, but a week is whole
        ("36h", "36 hours", 1, "24 steps (36 days)", "1 step (36 hours)"),
        ("250ms", "0.25 seconds", 14_400, "24 steps (6 seconds)", "14,400 steps (1 hour)"),
    ],
)
def test_the_season_and_the_words_come_from_the_step(text, step, season, ahead, cycle):
    found = TimeStep.parse(text)
    assert (str(found), found.season(), found.ahead(24), found.ahead(season)) == (step, season, ahead, cycle)


@pytest.mark.parametrize("text", ["", "1M", "1H", "0h", "00d", "hourly", "1.5h", "-1d", "1 fortnight"])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(ValueError, match="is no step: write it as 15m"):
        TimeStep.parse(text)


def test_one_of_a_unit_is_not_many():
    assert TimeStep.parse("1d").ahead(1) == "1 day"
    assert TimeStep.parse("15m").ahead(1) == "1 step (15 minutes)"
