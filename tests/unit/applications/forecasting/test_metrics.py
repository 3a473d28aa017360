import numpy as np
import pytest

from deeprc.applications.forecasting.metrics import mae, mase, rmse, scores, seasonal_scale, smape

Y = np.array([1.0, 2.0, 3.0, 0.0])
YHAT = np.array([2.0, 2.0, 1.0, 0.0])


def test_by_hand():
    assert mae(Y, YHAT) == pytest.approx((1 + 0 + 2 + 0) / 4)
    assert rmse(Y, YHAT) == pytest.approx(((1 + 4) / 4) ** 0.5)
    assert smape(Y, YHAT) == pytest.approx(100 * (2 * 1 / 3 + 0 + 2 * 2 / 4 + 0) / 4)
    assert mase(Y, YHAT, 1.5) == pytest.approx(0.75 / 1.5)


def test_scale_is_the_in_sample_error_of_the_seasonal_naive_forecast_without_gaps():
    train = np.array([1.0, 5.0, 2.0, np.nan, 6.0, 9.0])
    # pairs two apart: (1, 2), (5, nan), (2, 6), (nan, 9)
    assert seasonal_scale(train, 2) == pytest.approx((1 + 4) / 2)


def test_a_constant_series_has_no_mase():
    assert mase(Y, YHAT, 0.0) is None
    assert scores(Y, YHAT, 0.0)["mase"] is None


def test_scores_are_rounded_to_six_digits():
    assert scores(Y, YHAT, 1.5) == {"mae": 0.75, "rmse": 1.11803, "smape": 41.6667, "mase": 0.5}
