import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.forecasting.intervals import column, ends_of, quantiles
from deeprc.applications.forecasting.metrics import (
    crps,
    interval_scores,
    mae,
    mase,
    rmse,
    scores,
    seasonal_scale,
    smape,
    wql,
)

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


# Six values and the quantiles 0.1, 0.5, 0.9 of each.
OBSERVED = np.array([1.0, 2.5, -3.0, 0.0, 4.0, 10.0])
FORECAST = np.array(
    [[0.2, 0.9, 1.4], [1.0, 2.0, 3.5], [-4.0, -3.5, -3.2], [-1.0, 0.5, 0.6], [2.0, 5.0, 7.0], [3.0, 6.0, 9.5]]
)


def test_intervals_and_the_quantiles_that_they_end_at():
    assert quantiles([]) == ()
    assert quantiles([80, 95]) == (0.025, 0.1, 0.5, 0.9, 0.975)
    assert quantiles([99.9, 33.333]) == (0.0005, 0.333335, 0.5, 0.666665, 0.9995)
    assert ends_of(80) == (0.1, 0.9)
    assert [column(level) for level in quantiles([99.9, 33.333])] == [
        "q0.0005",
        "q0.333335",
        "yhat",
        "q0.666665",
        "q0.9995",
    ]
    # An exponent would be no quantile to the report: it shades what is called as these.
    assert [column(level) for level in quantiles([99.99, 99.999])] == [
        "q0.000005",
        "q0.00005",
        "yhat",
        "q0.99995",
        "q0.999995",
    ]


def test_intervals_by_hand_and_as_gluonts_has_them():
    """GluonTS 0.17.0, `MeanWeightedSumQuantileLoss` and `Coverage` of these values."""
    assert wql(OBSERVED, FORECAST, [0.1, 0.5, 0.9]) == pytest.approx(0.18731707317073173, rel=1e-15)
    losses = [2 * (0.08 + 0.15 + 0.1 + 0.1 + 0.2 + 0.7), 0.1 + 0.5 + 0.5 + 0.5 + 1.0 + 4.0]
    losses.append(2 * (0.04 + 0.1 + 0.18 + 0.06 + 0.3 + 0.45))
    low, middle, high = (loss / 6 for loss in losses)
    score = 0.1 * low / 2 + 0.4 * (low + middle) / 2 + 0.4 * (middle + high) / 2 + 0.1 * high / 2
    assert crps(OBSERVED, FORECAST, [0.1, 0.5, 0.9]) == pytest.approx(score, rel=1e-14)
    assert interval_scores(OBSERVED, FORECAST, [80]) == {
        "crps": 0.645, "wql": 0.187317, "coverage": {"80": 0.666667}, "width": {"80": 2.93333}
    }  # fmt: skip


def test_crps_of_many_quantiles_is_that_of_the_distribution():
    """Of a normal distribution it is known: Gneiting and Raftery 2007, doi:10.1198/016214506000001437, eq. 5."""
    normal = NormalDist(0.5, 2.0)
    levels = [(i + 0.5) / 2000 for i in range(2000)]
    forecast = np.array([[normal.inv_cdf(level) for level in levels]])
    for y in (-4.0, 0.5, 1.3, 9.0):
        z, unit = (y - 0.5) / 2, NormalDist()
        exact = 2 * (z * (2 * unit.cdf(z) - 1) + 2 * unit.pdf(z) - 1 / math.sqrt(math.pi))
        assert crps(np.array([y]), forecast, levels) == pytest.approx(exact, rel=1e-3)


def test_what_has_no_size_has_no_weighted_loss():
    nothing = interval_scores(np.zeros(2), np.ones((2, 3)), [80])
    assert nothing["wql"] is None and nothing["coverage"] == {"80": 0.0}
    assert interval_scores(np.empty(0), np.empty((0, 3)), [80]) == {
        "crps": None, "wql": None, "coverage": {"80": None}, "width": {"80": None}
    }  # fmt: skip


VALUES = st.integers(-1000, 1000).map(lambda value: value / 8)  # sums of them are exact


@given(st.lists(st.tuples(VALUES, st.lists(VALUES, min_size=5, max_size=5)), min_size=1, max_size=6))
def test_intervals_beside_rational_arithmetic(cases):
    y, forecast = np.array([one for one, _ in cases]), np.array([sorted(each) for _, each in cases])
    levels = quantiles([50, 80])
    exact = [Fraction(str(level)) for level in levels]

    def loss(value, quantile, level):
        below = Fraction(value) - Fraction(quantile)
        return 2 * (level * below if below >= 0 else (level - 1) * below)

    sums = [sum(loss(*pair, level) for pair in zip(y, forecast[:, i], strict=True)) for i, level in enumerate(exact)]
    edges, heights = [0, *exact, 1], [0, *(one / len(y) for one in sums), 0]
    area = sum((edges[i + 1] - edges[i]) * (heights[i] + heights[i + 1]) / 2 for i in range(6))
    assert crps(y, forecast, levels) == pytest.approx(float(area), rel=1e-12, abs=1e-12)
    size = sum(abs(Fraction(value)) for value in y)
    assert wql(y, forecast, levels) == (pytest.approx(float(sum(sums) / 5 / size), rel=1e-12) if size else None)
    within = sum(row[1] <= value <= row[3] for value, row in zip(y, forecast, strict=True))
    assert interval_scores(y, forecast, [50, 80])["coverage"]["50"] == pytest.approx(within / len(y), rel=1e-5)
