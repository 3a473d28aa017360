import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.forecasting.metrics import quantile_loss
from deeprc.applications.forecasting.quantiles import StudentPaths, empirical, pinball


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**31))
def test_the_loss_is_that_of_the_metrics_and_of_the_median_its_absolute_error(windows, horizon, seed):
    chance, levels = np.random.default_rng(seed), (0.1, 0.5, 0.975)
    forecast, y = chance.normal(size=(windows, horizon, 3)), chance.normal(size=(windows, horizon))
    mask = chance.integers(0, 2, (windows, horizon)).astype(float)
    each = sum(quantile_loss(y, forecast[..., i], level) for i, level in enumerate(levels)) / 3
    found = pinball(*(torch.from_numpy(one) for one in (forecast, y, mask)), levels)
    assert found.item() == pytest.approx((each * mask).sum(), rel=1e-12)
    median = pinball(*(torch.from_numpy(one) for one in (forecast[..., :1], y, mask)), (0.5,))
    assert median.item() == pytest.approx((np.abs(y - forecast[..., 0]) * mask).sum(), rel=1e-12)


def test_the_smallest_loss_is_at_the_quantile():
    y = torch.arange(1000.0)[None] / 1000
    mask, levels = torch.ones_like(y), (0.1, 0.9)
    at = {one: pinball(torch.full((1, 1000, 2), one), y, mask, levels[:1] * 2).item() for one in (0.05, 0.1, 0.15)}
    assert min(at, key=at.get) == 0.1


@pytest.mark.parametrize(
    ("freedom", "known"), [(2.5, (1.7303, 3.5747)), (5.0, (1.4759, 2.5706)), (30.0, (1.3104, 2.0423))]
)
def test_paths_have_the_quantiles_of_students_distribution(freedom, known):
    """Those of scipy.stats.t; of as few paths as a forecast has, they are some percent off."""
    few, many = (StudentPaths(paths=paths).draw(torch.tensor([[freedom]])) for paths in (256, 200_000))
    for paths, near in ((few, 0.09), (many, 0.002)):
        found = empirical(paths, (0.025, 0.1, 0.5, 0.9, 0.975))[0]
        assert found.tolist() == pytest.approx([-known[1], -known[0], 0.0, *known], rel=near, abs=0.01)


def test_steps_draw_apart_and_windows_alike():
    paths = StudentPaths(paths=64)
    one, other = paths.draw(torch.tensor([[3.0], [3.0]])), paths.draw(torch.tensor([[3.0], [3.0]]))
    assert torch.equal(one[0], one[1]) and not torch.equal(one, other)
    assert abs(torch.corrcoef(torch.stack([one[0], other[0]]))[0, 1]) < 0.4


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40), st.floats(0.001, 0.999))
def test_empirical_quantiles_are_those_of_numpy(values, level):
    found = empirical(torch.tensor(values, dtype=torch.float64), (level,)).item()
    assert found == pytest.approx(np.quantile(values, level, method="hazen"), abs=1e-9)
