import numpy as np
import pytest

from deeprc.applications.hydrology.reference import climatology, persistence


def test_persistence_is_the_day_before_if_there_is_one():
    days = np.array(["2000-01-01", "2000-01-02", "2000-01-04", "2000-01-05"], "datetime64[D]")
    found = persistence(days, np.array([1.0, 2.0, np.nan, 4.0]))
    np.testing.assert_array_equal(found, [np.nan, 1.0, np.nan, np.nan])


def test_climatology_knows_the_training_part_only():
    days = np.arange("2001-01-01", "2003-01-01", dtype="datetime64[D]")
    obs = np.where(days < np.datetime64("2002-01-01"), 1.0, 50.0)
    found = climatology(days, obs, days < np.datetime64("2002-01-01"))
    np.testing.assert_allclose(found, 1.0)


def test_climatology_is_the_mean_of_15_days_on_either_side_across_the_new_year():
    days = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]")
    obs = np.zeros(365)
    obs[0] = 31.0  # 1 January
    found = climatology(days, obs, np.ones(365, bool))
    assert found[15] == pytest.approx(1.0)  # 31 days, one of which holds 31
    assert found[16] == 0.0
    # from 17 December; there is no 366th day in the training part, so 30 days are near
    assert found[364] == pytest.approx(31 / 30)
    assert found[351] == pytest.approx(31 / 30)
    assert found[350] == 0.0


def test_climatology_is_unknown_where_the_training_part_never_was():
    days = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]")
    found = climatology(days, np.ones(365), days < np.datetime64("2001-02-01"))
    assert np.isnan(found[180])
