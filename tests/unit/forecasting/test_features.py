import itertools
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.errors import InputError
from deeprc.forecasting.features import CALENDAR, calendar, edges, fill, scale, with_part
from deeprc.forecasting.splits import Grid, make_grid

HOUR = timedelta(hours=1)


def grid(rows: int = 20, cuts: tuple[int, int] = (12, 16)) -> Grid:
    return Grid(datetime(2010, 1, 1), HOUR, rows, cuts)


def series(values: list[float | None], cuts: tuple[int, int] = (100, 101)) -> pl.DataFrame:
    table = pl.DataFrame({"row": range(len(values)), "y": pl.Series(values, dtype=pl.Float64)})
    return with_part(table, grid(len(values), cuts))


def filled(table: pl.DataFrame, max_gap: int = 2, ranks: int = 1) -> pl.DataFrame:
    """The table filled as `ranks` ranks would, each seeing its own rows and the others' edges."""
    bounds = [len(table) * rank // ranks for rank in range(ranks + 1)]
    parts = [table[begin:end] for begin, end in itertools.pairwise(bounds)]
    others = [edges(part, ["y"]) for part in parts]
    return pl.concat([fill(part, others, ["y"], max_gap) for part in parts])


def test_short_gaps_are_interpolated_and_long_ones_repeat_the_last_value():
    result = filled(series([1.0, None, None, 4.0, None, None, None, 8.0]))
    assert result["y"].to_list() == [1, 2, 3, 4, 4, 4, 4, 8]
    assert result["y_short"].to_list() == [True, True, True, True, False, False, False, True]


def test_ends_are_filled_with_the_nearest_known_value_and_do_not_count():
    result = filled(series([None, 2.0, None]))
    assert result["y"].to_list() == [2, 2, 2]
    assert result["y_short"].to_list() == [False, True, False]


def test_no_value_of_a_later_part_is_used():
    """The gap lies across the cut at row 2: interpolation would carry the validation part's 9 into training."""
    result = filled(series([1.0, None, None, 9.0], cuts=(2, 100)))
    assert result["y"].to_list() == [1, 1, 1, 9]
    assert result["y_short"].to_list() == [True, False, False, True]


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5).map(float)), min_size=4, max_size=40).filter(
        lambda values: any(value is not None for value in values)
    ),
    st.integers(0, 4),
    st.integers(2, 4),
)
def test_the_number_of_ranks_does_not_show(values, max_gap, ranks):
    table = series(values, cuts=(len(values) // 2, len(values) * 3 // 4))
    one, several = filled(table, max_gap), filled(table, max_gap, ranks)
    assert one.equals(several)
    assert one["y"].null_count() == 0
    known = table["y"].is_not_null()
    assert one.filter(known)["y"].to_list() == table.filter(known)["y"].to_list()
    assert one.filter(known)["y_short"].all()


def test_calendar_by_hand():
    table = calendar(grid(48), 30, 32)  # 6 and 7 o'clock of the second day, a Saturday
    assert table["ds"].to_list() == [datetime(2010, 1, 2, 6), datetime(2010, 1, 2, 7)]
    assert table["row"].to_list() == [30, 31]
    first = table.row(0, named=True)
    assert first["hour_sin"] == pytest.approx(1)
    assert first["hour_cos"] == pytest.approx(0, abs=1e-6)
    assert (first["month_sin"], first["month_cos"]) == pytest.approx((0, 1))
    assert first["weekday_sin"] == pytest.approx(-0.974928, abs=1e-5)  # sin(2π 5/7)
    assert set(CALENDAR) < set(table.columns)


def test_scale():
    table = scale(pl.DataFrame({"y": [1.0, 5.0]}), {"y": (1.0, 2.0)})
    assert table["y"].to_list() == [0, 2]
    assert table["y"].dtype == pl.Float32


def make(rows: int, split=(0.7, 0.1), horizon=2, input_size=3) -> Grid:
    first = datetime(2010, 1, 1)
    options = {"horizon": horizon, "input_size": input_size, "where": Path("b.csv")}
    return make_grid(first, first + (rows - 1) * HOUR, HOUR, split, **options)


def test_parts_follow_each_other_and_cover_all_rows():
    cut = make(100)
    assert [cut.bounds(part) for part in ("train", "val", "test")] == [(0, 70), (70, 80), (80, 100)]
    assert cut.time(80) == datetime(2010, 1, 4, 8)


def test_too_few_rows_for_the_windows():
    with pytest.raises(InputError) as error:
        make(20, horizon=3)
    assert str(error.value) == (
        "b.csv: too few rows for the windows of the val part\n  found: 2 rows of 20 in all\n"
        "  expected: at least 3 (input_size 3, horizon 3)\n"
        "  fix: give more data, or a smaller horizon, input_size or another split"
    )
    with pytest.raises(InputError, match="windows of the train part"):
        make(100, split=(0.04, 0.3))
