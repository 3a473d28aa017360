"""What models of the zoo see of their windows, and what they make small."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deeprc.applications.forecasting import timesnet
from deeprc.applications.forecasting.network import Forecaster, Windows, forecast
from deeprc.applications.forecasting.problem import ForecastProblem
from deeprc.applications.forecasting.series import load
from deeprc.applications.forecasting.timesnet import Block, Inception, JointTimesNet
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.core.errors import InputError
from deeprc.learning.torch.loop import make_deterministic
from samples.series import altered, made_up


@pytest.fixture(scope="module")
def series(prepared):
    return load(prepared)


@pytest.mark.parametrize("name", [name for name, model in ZOO.items() if model.joint])
def test_a_joint_model_sees_all_series_of_a_time_and_none_of_another(name):
    """Whatever origins are asked for, in any order; the other series' past counts, other times do not."""
    make_deterministic(1, 1)
    series = made_up(4, 9, 0)
    network = Forecaster(name, ZOO[name].options, series.meta)
    asked = np.array([95, 30, 31, 90])  # the second series at 30 and 35, the first at 30 and 31
    found = forecast(network, series, asked)
    assert np.allclose(found[[1]], forecast(network, series, asked[[1]]), atol=1e-5)
    changed = {row: altered(series, y=series.y + (np.arange(120) == row) * np.float32(3)) for row in (85, 22)}
    moved = {row: np.abs(forecast(network, other, asked) - found).max(1) > 1e-4 for row, other in changed.items()}
    assert moved[85].tolist() == [False, True, True, True]  # 25 rows into series b, in the past of 30 and 31, not of 35
    assert moved[22].tolist() == [False, True, True, True]  # 22 rows into a
    assert series.of_first(np.array([85, 22, 0, 60])).tolist() == [25, 22, 0, 0]  # rows as their samples are known
    with pytest.raises(InputError, match="do not begin and end at the same times"):
        forecast(network, replace(series, bounds=np.array([[0, 58, 59, 60], [60, 117, 119, 120]])), asked)
    late = altered(series, usable=~np.isin(np.arange(120), np.arange(series.bounds[0, 1] - 1)))
    with pytest.raises(InputError, match=f"{name} forecasts all series together, and nothing is left to learn from"):
        ForecastProblem(network, late)


def test_quantiles_of_a_joint_model_are_those_of_their_own_series():
    """Without what it has learned, an iTransformer forecasts each series' own mean, in all its quantiles."""
    series = made_up(4, 9, 0)
    network = Forecaster("iTransformer", ZOO["iTransformer"].options, series.meta, level="none", intervals=[80])
    for parameter in network.core.projector.parameters():
        torch.nn.init.zeros_(parameter)
    batch = Windows(series, np.array([30, 90]))  # a time of both series
    with torch.inference_mode():
        found = network.eval()(batch)
    assert torch.allclose(found, batch["past"].mean(1)[:, None, None].expand(2, 4, 3), atol=1e-6)


def test_kernels_computed_as_one_are_the_mean_of_all():
    make_deterministic(1, 1)
    layer = Inception(3, 5, 6)
    for kernel in layer.kernels:
        torch.nn.init.normal_(kernel.bias)
    for rows, columns in ((1, 20), (2, 9), (13, 15)):
        picture = torch.randn(2, 3, rows, columns)
        each = torch.stack([kernel(picture) for kernel in layer.kernels]).mean(0)
        assert torch.allclose(layer(picture), each, atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(8, 24), (34, 24), (3, 17), (13, 6), (2, 40), (1, 96)])
def test_spectra_give_the_values_and_gradients_of_products(rows, columns, monkeypatch):
    """Of as many pictures as are computed by spectra where kernels are large; to 1e-5 of the largest value."""
    make_deterministic(1, 1)
    layer, pictures = Inception(3, 5, 6), torch.randn(timesnet.MANY, 3, rows, columns, requires_grad=True)
    by_spectra, apply = [], timesnet.SpectralConvolution.apply
    monkeypatch.setattr(timesnet.SpectralConvolution, "apply", lambda *given: by_spectra.append(1) or apply(*given))
    wanted = torch.randn(timesnet.MANY, 5, rows, columns)
    found = layer(pictures)
    assert bool(by_spectra) == (rows > 2)
    expected = torch.stack([kernel(pictures) for kernel in layer.kernels]).mean(0)
    over = [pictures, *layer.parameters()]
    ours, plain = (torch.autograd.grad(one, over, wanted) for one in (found, expected))
    for one, other in zip([found, *ours], [expected, *plain], strict=True):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max()


def test_timesnet_begins_as_its_authors_does_with_the_same_seed():
    """Sums of absolute weights of theirs at the seed 2021 of their script (github.com/thuml/Time-Series-Library)."""
    network = JointTimesNet(96, 96, 7, futr_exog_list=["hour", "weekday", "day", "day_of_year"], random_seed=2021)
    begun = [
        network.blocks[0].inwards.kernels[0], network.blocks[1].outwards.kernels[5],
        network.embedding.value_embedding.tokenConv, network.embedding.temporal_embedding.embed, network.ahead,
        network.projection,
    ]  # fmt: skip
    found = [one.weight.double().abs().sum().item() for one in begun]
    assert found == pytest.approx([99.212709, 1599.268632, 82.997411, 15.263572, 945.227839, 15.229241], rel=1e-6)


def test_an_option_says_with_what_weights_timesnet_begins(prepared):
    meta = load(prepared).meta

    def begun(seed: int, **options: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return Forecaster("JointTimesNet", {**ZOO["JointTimesNet"].options, **options}, meta).core.ahead.weight

    assert not torch.equal(begun(1), begun(2))
    assert torch.equal(begun(1, random_seed=2021), begun(2, random_seed=2021))


def test_a_block_is_neuralforecasts_and_computes_a_picture_once(monkeypatch):
    """Of noise the strongest frequencies share periods: NeuralForecast computes each kernel of each frequency."""
    from neuralforecast.models.timesnet import TimesBlock

    make_deterministic(1, 1)
    ours, theirs = Block(3, 5, 5, 6), TimesBlock(60, 36, 5, 3, 5, 6)
    for name, whole in (("inwards", theirs.conv[0]), ("outwards", theirs.conv[2])):
        getattr(ours, name).load_state_dict(whole.state_dict())
    shapes, convolved = [], timesnet.convolved
    monkeypatch.setattr(timesnet, "convolved", lambda x, *given: shapes.append(x.shape[2:]) or convolved(x, *given))
    noise = torch.randn(4, 96, 3)
    x, y = noise.clone().requires_grad_(), noise.clone().requires_grad_()
    found, expected = ours(x), theirs(y)
    for one in (found, expected):
        one.square().sum().backward()
    assert len(shapes) == 2 * len(set(shapes)) < 2 * 5
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(x.grad, y.grad, rtol=1e-4, atol=1e-5)
    for mine, their in ((ours.inwards, theirs.conv[0]), (ours.outwards, theirs.conv[2])):
        for one, other in zip(mine.parameters(), their.parameters(), strict=True):
            assert torch.allclose(one.grad, other.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_each_loss_is_what_it_says_and_counts_usable_rows_alone(kind):
    """Forecasts of nothing but 0 beside 3, 0.25, -5 and a row that does not count."""
    network = Forecaster("DLinear", {}, {"horizon": 4, "input_size": 3}, loss=kind, level="none")
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    batch = {"past": torch.randn(1, 3), "y": torch.tensor([[3.0, 0.25, -5.0, 9.0]]), "history": None, "future": None}
    batch["mask"] = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    expected = {"mae": (3 + 0.25 + 5) / 3, "mse": (9 + 0.0625 + 25) / 3, "huber": (1.375 + 0.03125 + 2.375) / 3}[kind]
    assert network.loss(batch).item() == pytest.approx(expected)


@pytest.mark.parametrize("level", ["last", "mean", "none"])
def test_levels_shift_forecasts_with_their_windows(series, level):
    """A model that knows the level sees none of a shift of all; one that is told nothing does."""
    make_deterministic(1, 1)
    network = Forecaster("DLinear", {}, series.meta, level=level)
    batch = Windows(series, series.origins("train")[:4])
    with torch.inference_mode():
        change = network({**batch, "past": batch["past"] + 5}) - network(batch)
    assert torch.allclose(change, torch.full_like(change, 5.0), atol=1e-4) == (level != "none")


def test_who_is_not_told_the_calendar_does_not_see_it(series):
    make_deterministic(1, 1)
    told, untold = (Forecaster("NHITS", {}, series.meta, calendar=calendar) for calendar in (True, False))
    batch = Windows(series, series.origins("train")[:4])
    other = Windows(series, series.origins("train")[:4])
    other["future"] = batch["future"] + 1
    with torch.inference_mode():
        assert torch.equal(untold(batch), untold(other)) and not torch.equal(told(batch), told(other))
