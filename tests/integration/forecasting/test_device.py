"""Models on another device than the processor: torch's `meta`, for which no GPU is needed."""

import pytest
import torch

from deeprc.applications.forecasting.network import Forecaster, Windows
from deeprc.applications.forecasting.series import load
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.learning.torch.device import of

ASK = ("DeepAR", "Autoformer", "TimesNet", "JointTimesNet")  # for values, while a loss is computed


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ASK])
def test_all_that_a_loss_is_made_of_is_on_the_device_of_the_network(prepared, name, monkeypatch):
    """torch's device `meta` has no values, but refuses what is on another one; and no GPU is needed for it."""
    series = load(prepared)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    for intervals in ([], [80]):
        network = Forecaster(name, ZOO[name].options, series.meta, intervals=intervals).to("meta")
        first = series.origins("train")[:8]
        origins = series.together(first) if ZOO[name].joint else first
        loss = network.loss(Windows(series, origins, of(network)))
        loss.backward()
        assert loss.device.type == "meta"
    with pytest.raises(RuntimeError, match="meta"):
        network.loss(Windows(series, origins))
