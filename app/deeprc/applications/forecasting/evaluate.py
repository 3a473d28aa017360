"""Stage `evaluate`: how good the forecasts are, beside some that need no training of these models."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import read_arrow
from deeprc.applications.base.reference import beats
from deeprc.applications.forecasting import zero_shot
from deeprc.applications.forecasting.metrics import interval_scores, scores, seasonal_scale
from deeprc.applications.forecasting.references import linear_forecast, naive_forecasts
from deeprc.applications.forecasting.series import Series, load
from deeprc.applications.forecasting.spread import ForecastSpread
from deeprc.core import code, exact, fingerprint
from deeprc.core.errors import InputError
from deeprc.core.files import write_json
from deeprc.core.stage import run

ABOUT = ("dataset", "target", "unit", "horizon", "input_size", "step", "ahead", "season", "season_length")


@dataclass(frozen=True)
class Judge:
    """What was observed in the test part, window by window, and the scale of each series' errors.

    Attributes
    ----------
    y, counts
        Observations and whether there is one [windows, horizon].
    scales
        Of MASE, one for each series, or None.
    windows
        The windows of each series.
    """

    y: np.ndarray
    counts: np.ndarray
    scales: list[float | None]
    windows: list[slice]

    @classmethod
    def of(cls, series: Series) -> Judge:
        """The judge of forecasts of the test part."""
        origins = series.origins("test", stride=series.meta["horizon"])
        rows = origins[:, None] + np.arange(series.meta["horizon"])
        edges = np.searchsorted(origins, [*series.bounds[:, 0], series.bounds[-1, 3]])
        return cls(
            y=series.y_raw[rows],
            counts=series.observed[rows],
            scales=[seasonal_scale(series.y_raw[begin:val], series.meta["season"]) for begin, val, *_ in series.bounds],
            windows=[slice(begin, end) for begin, end in itertools.pairwise(edges)],
        )

    def one(self, yhat: np.ndarray, number: int) -> dict[str, float | None]:
        """The scores of forecasts [windows, horizon] on one series."""
        part = self.windows[number]
        counts = self.counts[part]
        return scores(self.y[part][counts], yhat[part][counts], self.scales[number])

    def spread(self, found: ForecastSpread, number: int | None = None) -> dict[str, Any]:
        """How good intervals are: on one series, or over all values of all."""
        part = slice(None) if number is None else self.windows[number]
        counts = self.counts[part]
        return interval_scores(self.y[part][counts], found.quantiles[part][counts], found.intervals)

    def some(self, yhat: np.ndarray, numbers: np.ndarray) -> dict[str, float | None]:
        """The scores over all values of the windows `numbers`, without MASE."""
        counts = self.counts[numbers]
        return scores(self.y[numbers][counts], yhat[counts], None)

    def all(self, yhat: np.ndarray) -> dict[str, float | None]:
        """The scores over all values of all series; MASE, which is without unit, is the mean of the series' own."""
        if len(self.scales) == 1:
            return self.one(yhat, 0)
        found = scores(self.y[self.counts], yhat[self.counts], None)
        own = [self.one(yhat, number)["mase"] for number in range(len(self.scales))]
        return found | {"mase": exact.rounded(exact.mean(np.array([value for value in own if value is not None])))}


@dataclass(frozen=True)
class References:
    """A linear model, and a zero-shot one where it is installed.

    Attributes
    ----------
    rows
        By name the scores, and what there is to know of them.
    absent
        By name why one of them is not there.
    numbers
        The windows that the zero-shot model forecasts.
    """

    rows: dict[str, dict]
    absent: dict[str, str]
    numbers: np.ndarray
    judge: Judge

    @classmethod
    def of(cls, series: Series, judge: Judge) -> References:
        """Those of the test part."""
        rows, absent, numbers = {}, {}, np.empty(0, int)
        linear = linear_forecast(series)
        if linear is None:
            absent["linear"] = "no window of the training part is known to its end"
        else:
            rows["linear"] = judge.all(linear)
        if why := zero_shot.absent():
            absent["zero-shot"] = why
        elif not len(numbers := zero_shot.chosen(series)):
            absent["zero-shot"] = "too little was observed before each window of the test part"
        else:
            yhat = zero_shot.zero_shot_forecast(series, numbers, print)
            about = {"model": f"{zero_shot.PACKAGE} {zero_shot.VERSION}", "weights_sha256": zero_shot.WEIGHTS}
            rows["zero-shot"] = {**judge.some(yhat, numbers), **about, "windows": len(numbers)}
        return cls(rows, absent, numbers, judge)

    def better_than(self, result: dict, yhat: np.ndarray) -> list[str]:
        """Which of them a model is not better than: on the very windows that they forecast."""
        own = {"linear": result["mae"]}
        if "zero-shot" in self.rows:
            own["zero-shot"] = self.judge.some(yhat[self.numbers], self.numbers)["mae"]
        return [name for name, row in self.rows.items() if beats(own[name], row["mae"], better="lower") is False]


def of_series(
    judge: Judge, series: Series, forecasts: dict[str, np.ndarray], spreads: dict[str, ForecastSpread],
    naive: dict[str, np.ndarray],
) -> dict:  # fmt: skip
    """By id: what each series has in the test part, each model's and naive forecast's scores, and the best model."""
    found = {}
    for number, name in enumerate(series.ids):
        models = {model: judge.one(yhat, number) for model, yhat in forecasts.items()}
        for model, spread in spreads.items():
            models[model] |= judge.spread(spread, number)
        found[name] = {
            "windows": len(judge.counts[judge.windows[number]]),
            "values": int(judge.counts[judge.windows[number]].sum()),
            "best": min(models, key=lambda model: models[model]["mae"]),
            "models": models,
            "naive": {other: judge.one(yhat, number) for other, yhat in naive.items()},
        }
    return found


def main(
    predictions: Annotated[list[Path], typer.Argument(help="the models' forecasts")],
    prepared: commandline.Prepared,
    out: Annotated[Path, typer.Option(help="the metrics to write (JSON)")],
) -> None:
    """Compare forecasts with what was observed: MAE, RMSE, sMAPE, MASE; of each series too, where there are several.

    Of intervals: CRPS, weighted quantile loss, how many values lie within, and how wide they are.

    Example:
    `python -m deeprc.applications.forecasting.evaluate --prepared prepared --out metrics.json predictions/*.arrow`
    """
    series = load(prepared)
    judge, naive = Judge.of(series), naive_forecasts(series)
    standard = {name: judge.all(yhat) for name, yhat in naive.items()}
    references = References.of(series, judge)
    rows = series.origins("test", stride=series.meta["horizon"])[:, None] + np.arange(series.meta["horizon"])
    made_from = series.meta.get(fingerprint.KEY)
    forecasts, spreads, models, trained = {}, {}, {}, {}
    for path in sorted(predictions):
        table = read_arrow(path)
        record = fingerprint.from_arrow(table.schema.metadata)
        fingerprint.refuse(path, fingerprint.part_of(record), made_from, prepared)
        trained[path.stem] = options = (record or {}).get("train")
        if (of := (options or {}).get("model", path.stem)) != path.stem:
            raise fingerprint.MixError(
                "forecasts of another model than their file is named after",
                where=path,
                found=of,
                expected=path.stem,
                fix="start the workflow again: it makes anew whatever does not fit",
            )
        forecasts[path.stem] = yhat = _forecasts(table, series, rows, path)
        result = judge.all(yhat)
        # Worse than both naive forecasts: the model has learned nothing of use, and the report says so.
        useful = beats(result["mae"], max(row["mae"] for row in standard.values()), better="lower")
        size = int(table.schema.metadata[b"parameters"])
        worse = [name for name, row in standard.items() if beats(result["mae"], row["mae"], better="lower") is False]
        worse += references.better_than(result, yhat)
        if spread := ForecastSpread.read(table, rows.shape, path):
            spreads[path.stem] = spread
            result |= judge.spread(spread) | {"crossed": exact.rounded(spread.crossed)}
        models[path.stem] = {**result, "beats_naive": useful, "worse_than": worse, "parameters": size}
    count, times = int(judge.counts.sum()), series.ds[rows]
    told = fingerprint.trained(made_from, trained)
    write_json(
        out,
        {
            **{key: series.meta[key] for key in ABOUT},
            "windows": len(rows),
            "values": count,
            **({"hours": count} if series.meta["step"] == "1 hour" else {}),
            "first": str(np.datetime_as_string(times.min(), unit="m")),
            "last": str(np.datetime_as_string(times.max(), unit="m")),
            "models": models,
            "naive": standard,
            "references": references.rows,
            "not_judged": references.absent,
            **({"series": of_series(judge, series, forecasts, spreads, naive)} if len(series.ids) > 1 else {}),
            fingerprint.KEY: told and {**told, "installed": code.versions([zero_shot.PACKAGE])},
        },
    )
    best = min(models, key=lambda name: models[name]["mae"])
    for name, row in models.items():
        if row["worse_than"]:
            print(f"note: {name} is not better than: {', '.join(row['worse_than'])}")
        for percent, part in row.get("coverage", {}).items():
            print(f"{name}: {part or 0:.1%} of the observed values lie within the interval of {percent} %")
    print(f"best: {best} (MAE {models[best]['mae']:.4g} {series.meta['unit']})".replace(" )", ")"))


def _forecasts(table, series: Series, rows: np.ndarray, path: Path) -> np.ndarray:
    """The forecasts [windows, horizon] in a file, which must be those of the prepared test part."""
    origins, horizon = rows[:, 0], rows.shape[1]
    expected = {
        "id": np.repeat(np.array(series.ids)[series.number(origins)], horizon),
        "origin": np.repeat(series.ds[origins], horizon),
        "ds": series.ds[rows.ravel()],
    }
    if not all(np.array_equal(table[name].to_numpy(), values) for name, values in expected.items()):
        raise InputError("these forecasts are of other times than the prepared test part", where=path)
    return table["yhat"].to_numpy().reshape(rows.shape)


if __name__ == "__main__":
    run(main)
