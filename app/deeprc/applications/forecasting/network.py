"""NeuralForecast's classes as plain modules: covariates, normalisation, DeepAR's distribution."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from deeprc.applications.base.batches import in_batches
from deeprc.applications.forecasting.config import Level, Loss
from deeprc.applications.forecasting.intervals import quantiles
from deeprc.applications.forecasting.quantiles import StudentPaths, empirical, pinball
from deeprc.applications.forecasting.series import Series
from deeprc.applications.forecasting.zoo import entry
from deeprc.core.errors import ConfigError
from deeprc.learning.config import Precision
from deeprc.learning.mapped import MappedWindows
from deeprc.learning.peers import Peers
from deeprc.learning.torch.device import of, put
from deeprc.learning.torch.precision import cast

CPU = torch.device("cpu")
BATCH = 512  # windows that are forecast at once
SMALLEST_SPREAD = 0.1  # of a window, in standard deviations of the series: a flat night must not blow up the rest


class Forecaster(torch.nn.Module):
    """A model of the zoo that maps windows to forecasts, both scaled.

    Unless `level` says otherwise each window is shifted by its last value (as NLinear, Zeng et al. 2023,
    arXiv:2205.13504) and scaled by the deviation of its own past (as reversible instance normalisation, Kim et al.
    2022): the level of the series drifts.

    Parameters
    ----------
    name
        The model's name in the zoo.
    options
        Arguments of its class.
    meta
        Of the prepared series: horizon, input size, the covariates' names and the series.
    loss, level, calendar
        As of `config.TrainConfig`.
    intervals
        In percent; their quantiles are forecast, and learned (by a probabilistic model: sampled).
    precision
        What the class computes in while it is trained; what is made of its forecasts is float32.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        meta: dict,
        *,
        loss: Loss | None = "mae",
        level: Level = "last",
        calendar: bool = True,
        intervals: Sequence[float] = (),
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.name, self.kind, self.level, self.precision = name, loss, level, precision
        self.entry, self.horizon, self.input_size = entry(name), meta["horizon"], meta["input_size"]
        arguments = {"h": self.horizon, "input_size": self.input_size, "max_steps": 1, **options}
        if self.horizon == 1:
            arguments |= self.entry.single
        self.series = len(meta["series"]) if self.entry.joint else 1
        if self.entry.joint:
            arguments["n_series"] = self.series
        if self.entry.future and calendar:
            arguments["futr_exog_list"] = list(meta["future"])
        if self.entry.history and meta["history"]:
            arguments["hist_exog_list"] = list(meta["history"])
        self.quantiles = quantiles(intervals)
        self.core = _build(name, arguments, self.entry.probabilistic, self.quantiles)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Forecasts [windows, horizon] of `batch` (see `Windows`); of intervals their quantiles, in a third dimension.

        A quantile may be larger than the next one.
        """
        shift, spread = self._level(batch)
        z = (batch["past"] - shift) / spread
        if not self.entry.probabilistic:
            out = self._core(z, batch)
        else:
            out = self._sample(z, batch) if self.quantiles else self._unroll(z, batch)[..., None]
        out = out * spread[..., None] + shift[..., None]
        return out if self.quantiles else out[..., 0]

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The error over usable rows; for a probabilistic model its negative log-likelihood."""
        if not self.entry.probabilistic:
            return self.error(batch)
        shift, spread = self._level(batch)
        past, y = (batch["past"] - shift) / spread, (batch["y"] - shift) / spread
        # Teacher forcing: from y_t and the calendar of t+1 the distribution of y_(t+1), over the whole horizon at once.
        known = torch.cat([past, y[:, :-1]], dim=1)
        parameters = self.core.loss.domain_map(self._recurrent(known, batch["future"][:, 1:]))
        parameters = self.core.loss.scale_decouple(output=parameters, loc=None, scale=None)
        return self.core.loss(y=y[..., None], distr_args=parameters, mask=batch["mask"][..., None])

    def error(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean error of the forecasts of `batch` over usable rows: of quantiles theirs, else by the loss's kind."""
        forecast, count = self(batch), batch["mask"].sum().clamp(min=1)
        if self.quantiles:
            return pinball(forecast, batch["y"], batch["mask"], self.quantiles) / count
        difference = (forecast - batch["y"]) * batch["mask"]
        if self.kind == "mae":
            total = difference.abs().sum()
        elif self.kind == "mse":
            total = difference.square().sum()
        else:
            total = torch.nn.functional.huber_loss(difference, torch.zeros_like(difference), reduction="sum", delta=0.5)
        return total / count

    def _level(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        past = batch["past"]
        if self.level == "none":
            return torch.zeros_like(past[:, :1]), torch.ones_like(past[:, :1])
        # DeepAR, fed with its own means, drifts away from a level set by one value: the mean of all suits it better.
        mean = self.entry.probabilistic or self.level == "mean"
        shift = past.mean(1, keepdim=True) if mean else past[:, -1:]
        spread = past.std(1, keepdim=True) if self.input_size > 1 else torch.zeros_like(past)
        return shift, spread.clamp(min=SMALLEST_SPREAD)

    def _core(self, z: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        # Windows of all series follow each other time after time; a joint model sees them side by side.
        side_by_side = z.reshape(-1, self.series, z.shape[1]).transpose(1, 2)
        out = self._computed(
            {
                "insample_y": side_by_side,
                "insample_mask": torch.ones_like(side_by_side),
                "hist_exog": batch["history"] if self.core.hist_exog_size else None,
                "futr_exog": batch["future"][:: self.series] if self.core.futr_exog_size else None,
                "stat_exog": None,
            }
        )
        if not self.entry.joint:
            return out
        # NeuralForecast's classes leave all series of one quantile side by side, then those of the next one.
        apart = out.reshape(len(out), self.horizon, -1, self.series)
        return apart.permute(0, 3, 1, 2).reshape(len(z), self.horizon, -1)

    def _computed(self, windows: dict[str, torch.Tensor | None]) -> torch.Tensor:
        with cast(self.precision, of(self)) if self.training else nullcontext():
            out = self.core(windows)
        return out.to(windows["insample_y"].dtype)

    def _recurrent(self, known: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        """What is known of the values after those in `known`, before it is made the distribution's parameters."""
        return self._computed(
            {
                "insample_y": known[..., None],
                "hist_exog": None,
                "futr_exog": future if self.core.futr_exog_size else None,
                "stat_exog": None,
            }
        )

    def _unroll(self, z: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """[windows, horizon], step by step, each step fed with the mean of the one before."""
        distribution = self.core.loss.get_distribution
        return torch.cat(self._steps(z, batch, lambda told: distribution(distr_args=told).mean[..., 0]), dim=1)

    def _sample(self, z: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Quantiles [windows, horizon, levels] of paths, of which each step is fed with what was drawn before."""
        paths = StudentPaths()

        def draw(told: tuple[torch.Tensor, ...]) -> torch.Tensor:
            freedom, loc, scale = (one.reshape(len(z), -1) for one in told)  # after the first step, of each path
            return (loc + scale * paths.draw(freedom)).reshape(-1, 1)

        drawn = torch.cat(self._steps(z, batch, draw), dim=1).reshape(len(z), paths.paths, self.horizon)
        return empirical(drawn.transpose(1, 2), self.quantiles)

    def _steps(
        self, z: torch.Tensor, batch: dict[str, torch.Tensor], go_on: Callable[[tuple[torch.Tensor, ...]], torch.Tensor]
    ) -> list[torch.Tensor]:
        """What `go_on` makes of each step's parameters, [rows, 1]: of each window one row, or always as many more."""
        future = batch["future"][:, 1:]
        self.core.maintain_state, self.core.rnn_state = True, None
        try:
            known, steps = z, []
            for step in range(self.horizon):
                begin = 0 if step == 0 else self.input_size + step - 1
                # Of each window's rows alike; of one step at a time: all of them, over long horizons, are gigabytes.
                ahead = future[:, begin : self.input_size + step].repeat_interleave(len(known) // len(future), 0)
                raw = self._recurrent(known, ahead)[:, -1:]
                parameters = self.core.loss.domain_map(raw)
                known = go_on(self.core.loss.scale_decouple(output=parameters, loc=None, scale=None))
                steps.append(known)
                if step == 0 and (each := len(known) // len(future)) > 1:
                    self.core.rnn_state = tuple(one.repeat_interleave(each, 1) for one in self.core.rnn_state)
        finally:
            self.core.maintain_state, self.core.rnn_state = False, None
        return steps


def _build(name: str, arguments: dict[str, Any], probabilistic: bool, levels: tuple[float, ...]) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, about a trainer that is never used
        logging.getLogger("lightning_fabric.utilities.seed").setLevel(logging.ERROR)
        models = importlib.import_module(entry(name).module)
        from neuralforecast.losses.pytorch import DistributionLoss, MQLoss

        if probabilistic:
            arguments["loss"] = DistributionLoss("StudentT", level=[], return_params=False)
        elif levels:
            arguments["loss"] = MQLoss(quantiles=levels)  # it tells the class how many values to end in
        # The class seeds the global generators with its own default: the caller's state is put back.
        state, given = torch.get_rng_state(), arguments.get("random_seed")
        arguments["random_seed"] = int(torch.randint(2**31 - 1, (1,))) if given is None else given
        try:
            module = getattr(models, name)(**arguments)
        except Exception as error:  # whatever a class has against its options
            raise ConfigError(
                f"{name} cannot be built with these options",
                found=", ".join(f"{key} {value}" for key, value in arguments.items() if key in entry(name).options),
                expected=str(error),
                fix=f"change them below the key 'models.{name}.options', or leave them out",
            ) from error
        torch.set_rng_state(state)
    return module


def forecast(network: Forecaster, series: Series, origins: np.ndarray, peers: Peers | None = None) -> np.ndarray:
    """Forecasts [origins, horizon], or [origins, horizon, quantiles], that start at the rows `origins`, scaled.

    Each is as if it were the only one.

    Every rank has all of them in the end, and the same numbers on any number of ranks.
    """
    network.eval()
    with torch.inference_mode():
        on, size = of(network), 1 if network.entry.mixes else BATCH
        if network.entry.joint:
            return _jointly(network, series, origins, max(1, size // network.series), peers)
        return in_batches(lambda batch: network(Windows(series, batch, on)).cpu().numpy(), origins, size, peers)


def _jointly(network: Forecaster, series: Series, origins: np.ndarray, size: int, peers: Peers | None) -> np.ndarray:
    """The same of a model that forecasts all series together: each time once, of which `origins` take their part."""
    series.refuse_apart(network.name)
    number, begins = series.number(origins), series.bounds[:, 0]
    times, place = np.unique(origins - begins[number], return_inverse=True)

    def compute(batch: np.ndarray) -> np.ndarray:
        found = network(Windows(series, series.together(batch), of(network))).cpu().numpy()
        return found.reshape(len(batch), network.series, *found.shape[1:])

    return in_batches(compute, times + begins[0], size, peers)[place, number]


class Windows(dict):
    """The windows whose forecasts start at the rows `origins`; what is asked for of them is cut from the mapped files.

    `past` [windows, input_size], `y` and `mask` [windows, horizon] (mask 1 where the row counts in the loss),
    `history` [windows, input_size, covariates], `future` [windows, input_size + horizon, calendar]; on `device`.
    """

    def __init__(self, series: Series, origins: np.ndarray, device: torch.device = CPU) -> None:
        super().__init__()
        self.series, self.origins, self.device = series, origins, device
        self.meta, length = series.meta, series.meta["input_size"]
        self.cut = MappedWindows(series.rows, origins - length, length + series.meta["horizon"])

    def __missing__(self, name: str) -> torch.Tensor:
        cut, length = self.cut.windows, self.meta["input_size"]
        values = {
            "past": lambda: self._known("y", cut("y", 0, length)),
            "y": lambda: cut("y", length),
            "mask": lambda: cut("usable", length).astype(np.float32),
            "history": lambda: self._history(cut(self.meta["history"], 0, length)),
            "future": lambda: cut(self.meta["future"]),
        }[name]()
        with torch.inference_mode(False):  # whoever asks first: a training may ask later
            self[name] = put(values, self.device)
        return self[name]

    def _history(self, values: np.ndarray) -> np.ndarray:
        for index, name in enumerate(self.meta["history"]):
            self._known(name, values[:, :, index])
        return values

    def _known(self, name: str, values: np.ndarray) -> np.ndarray:
        """`values` [windows, input_size] with what nobody knew at the origins replaced, in place (`Series.known`)."""
        count = self.series.bridge(name, self.origins)
        late = np.empty(0, int) if count is None else np.flatnonzero(count)
        if len(late):
            rows = self.origins[late, None] + np.arange(-values.shape[1], 0)
            values[late] = self.series.known(name, rows, self.origins[late])
        return values
