"""docs/add-a-model.md does what it says: its entry is taken out of the page, put into the zoo, and learns."""

import re
from pathlib import Path

import torch

from deeprc.applications.forecasting import zoo
from deeprc.applications.forecasting.config import ForecastingConfig
from deeprc.applications.forecasting.network import Forecaster, Windows
from deeprc.applications.forecasting.series import load
from deeprc.learning.torch.loop import make_deterministic

PAGE = Path(__file__).resolve().parents[3] / "docs" / "add-a-model.md"


def test_the_entry_of_the_page_works(prepared, monkeypatch):
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    added = eval("{" + text + "}", {"Entry": zoo.Entry})
    monkeypatch.setattr(zoo, "ZOO", {**zoo.ZOO, **added})
    config = ForecastingConfig(models=["TiDE"])
    assert '"hidden_size":64' in config.train_json("TiDE")

    series = load(prepared)
    make_deterministic(1, 1)
    network = Forecaster("TiDE", added["TiDE"].options, series.meta)
    batch = Windows(series, series.origins("train")[:64])
    before = network.loss(batch).item()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(15):
        optimizer.zero_grad()
        loss = network.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < before
    assert network(batch).shape == (64, 12)
