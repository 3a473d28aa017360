from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from deeprc.applications.base.scaler import Scaler
from deeprc.applications.hydrology.prepared import Prepared
from deeprc.applications.hydrology.samples import groups, make_samples

DAYS, WINDOW = 30, 4


def about(inputs=("prcp", "pet"), unit="mm/day", attributes=None):
    return {"unit": unit, "inputs": dict.fromkeys(inputs, "mm/day"), "attributes": attributes or {}}


@pytest.fixture
def prepared():
    rng = np.random.default_rng(1)
    frames = [
        pl.DataFrame(
            {
                "basin": [basin] * DAYS,
                "date": [date(2000, 1, 1) + timedelta(day) for day in range(DAYS)],
                "obs": rng.uniform(size=DAYS),
                "prcp": rng.uniform(size=DAYS),
                "pet": rng.uniform(size=DAYS),
                "split": ["train"] * 15 + ["val"] * 8 + ["test"] * 7,
            }
        )
        for basin in ("a", "b")
    ]
    return Prepared(pl.concat(frames), {"window": WINDOW, "basins": {"a": about(), "b": about()}})


def test_alike_basins_share_a_network():
    basins = {"a": about(), "b": about(("prcp", "tmean")), "c": about(), "d": about(unit="m³/s")}
    found = groups(Prepared(pl.DataFrame(), {"basins": basins}))
    assert found == {"regional": ["a", "c"], "b": ["b"], "d": ["d"]}


def test_a_window_holds_the_weather_up_to_its_own_day(prepared):
    samples, scaler = make_samples(prepared, ["a"])
    assert samples.ends.tolist() == list(range(WINDOW - 1, DAYS))
    window = samples.windows(np.array([10]))[0]
    assert window.shape == (WINDOW, 4) == (WINDOW, samples.width)  # two inputs and the season
    weather = prepared.frame.filter(pl.col("basin") == "a")[7:11].select("prcp", "pet").to_numpy()
    np.testing.assert_allclose(window[:, :2], scaler.scale(weather), rtol=1e-5)


def test_no_window_reaches_into_another_basin(prepared):
    samples, _ = make_samples(prepared, ["a", "b"])
    assert samples.ends.tolist() == [*range(3, 30), *range(33, 60)]
    np.testing.assert_array_equal(samples.windows(np.array([33]))[0, :, -2:], [[0, 1]] * WINDOW)  # the basin itself


def test_nothing_of_the_later_parts_is_in_the_scaler_or_in_a_training_window(prepared):
    later = pl.col("split") != "train"
    columns = [pl.when(later).then(1e6).otherwise(pl.col(name)).alias(name) for name in ("obs", "prcp", "pet")]
    changed = Prepared(prepared.frame.with_columns(columns), prepared.meta)
    (one, scaler), (two, scaler_changed) = make_samples(prepared, ["a", "b"]), make_samples(changed, ["a", "b"])
    assert scaler == scaler_changed
    np.testing.assert_array_equal(one.of("train"), two.of("train"))
    np.testing.assert_array_equal(one.windows(one.of("train")), two.windows(two.of("train")))


def test_discharge_is_never_an_input(prepared):
    changed = Prepared(prepared.frame.with_columns(pl.col("obs") * 7 + 3), prepared.meta)
    one, two = (make_samples(data, ["a", "b"])[0] for data in (prepared, changed))
    np.testing.assert_array_equal(one.windows(one.ends), two.windows(two.ends))


def test_days_without_discharge_or_with_missing_weather_are_no_samples(prepared):
    frame = prepared.frame.with_row_index("row")
    frame = frame.with_columns(
        pl.when(pl.col("row") == 8).then(None).otherwise(pl.col("obs")).alias("obs"),
        pl.when(pl.col("row") == 20).then(None).otherwise(pl.col("pet")).alias("pet"),
    )
    samples, _ = make_samples(Prepared(frame, prepared.meta), ["a"])
    assert set(range(DAYS)) - set(samples.ends.tolist()) == {0, 1, 2, 20, 21, 22, 23}
    assert samples.of("train").tolist() == [3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]
    assert samples.of("val").tolist() == [15, 16, 17, 18, 19]


def test_attributes_tell_basins_apart(prepared):
    basins = {basin: about(attributes={"area": area, "same": 1.0}) for basin, area in (("a", 1.0), ("b", 3.0))}
    samples, _ = make_samples(Prepared(prepared.frame, {"window": WINDOW, "basins": basins}), ["a", "b"])
    np.testing.assert_array_equal(samples.static, [[-1, 0], [1, 0]])
    basins["b"]["attributes"] = {"same": 1.0, "area": 3.0}  # by their names, in whatever order
    samples, _ = make_samples(Prepared(prepared.frame, {"window": WINDOW, "basins": basins}), ["a", "b"])
    np.testing.assert_array_equal(samples.static, [[-1, 0], [1, 0]])


def test_what_is_held_out_has_no_say_in_how_attributes_are_scaled(prepared):
    basins = {basin: about(attributes={"area": area}) for basin, area in (("a", 1.0), ("b", 3.0))}
    frame = pl.concat([prepared.frame, prepared.frame.filter(pl.col("basin") == "b").with_columns(basin=pl.lit("c"))])
    basins["c"] = about(attributes={"area": 9.0}) | {"held_out": True}
    samples, _ = make_samples(Prepared(frame, {"window": WINDOW, "basins": basins}), ["a", "b", "c"])
    np.testing.assert_array_equal(samples.static, [[-1], [1], [7]])


def test_a_column_that_does_not_vary_is_not_divided_by_0():
    scaler = Scaler.fit(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]))
    assert (scaler.mean, scaler.std) == ([2.0, 5.0], [1.0, 1.0])
    np.testing.assert_array_equal(scaler.restore(scaler.scale(np.array([[4.0, 6.0]]))), [[4.0, 6.0]])
