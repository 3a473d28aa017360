"""Results folders and events as the two applications and the executor write them, made from formulas.

`HOSTILE` holds names that would break a page which does not escape: they are used by `write_results(hostile=True)`.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

MODELS = [
    "NBEATS",
    "NHITS",
    "DeepAR",
    "LSTM",
    "GRU",
    "TCN",
    "PatchTST",
    "Autoformer",
    "FEDformer",
    "TimesNet",
    "VanillaTransformer",
]
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1> & \"'{{7*7}}"
NAIVE = {
    "last value": {"mae": 60.0, "rmse": 90.0, "smape": 71.0, "mase": 1.4},
    "seasonal naive": {"mae": 70.0, "rmse": 99.0, "smape": 78.0, "mase": 1.6},
}
START = 1_790_000_000.0  # seconds since 1970: when the run of the samples begins


def write_results(root: Path, *, hostile: bool = False, days: int = 120, several: int = 0) -> Path:
    """Both applications' results below `root`/results; of 11 models one beats one naive forecast, and one neither.

    `several`: so many series of months, `s000` and so on, of which the first is forecast best and the second worst.
    """
    results = root / "results"
    names = [*MODELS[:-1], HOSTILE.replace("/", "")] if hostile else MODELS
    models = {
        name: {
            "mae": mae,
            "rmse": mae * 1.5,
            "smape": mae,
            "mase": mae / 45,
            "beats_naive": mae < 70,
            "parameters": 10**4 * (i + 1),
            "crps": mae / 1.4,
            "wql": mae / 140,
            "crossed": 0.001,
            "coverage": {"80": 0.9 - i / 50},
            "width": {"80": mae * 3},
        }
        for i, (name, mae) in enumerate(zip(names, [*np.linspace(40.0, 58.0, 9).tolist(), 64.0, 82.0], strict=True))
    }
    target = HOSTILE if hostile else "pm2.5"
    metrics = {
        "dataset": "beijing",
        "target": target,
        "unit": "µg/m³",
        "horizon": 24,
        "windows": days,
        "models": models,
        "naive": NAIVE,
    }
    folder = results / "forecasting"
    (folder / "predictions").mkdir(parents=True)
    ids = [HOSTILE if hostile and not index else f"s{index:03}" for index in range(several)]
    if several:
        metrics |= {"step": "1 month", "ahead": "24 months", "season": 12, "season_length": "12 months"}
        metrics["series"] = {
            name: {
                "models": {
                    model: {key: row[key] for key in NAIVE["last value"]} | {"mae": row["mae"] / (index or several)}
                    for model, row in models.items()
                },
                "naive": NAIVE,
            }
            for index, name in enumerate(ids)
        }
    _json(folder / "metrics.json", metrics)
    check = {
        "dataset": "beijing",
        "file": "results/data/beijing.csv",
        "sha256": "ab" * 32,
        "target": target,
        "rows": 43824,
        "first": "2010-01-01 00:00:00",
        "last": "2014-12-31 23:00:00",
        "step": "1:00:00",
        "absent_rows": 0,
        "missing": {"y": 2067, "TEMP": 0},
        "parts": {"train": 30677, "val": 4382, "test": 8765},
    }
    _json(folder / "check.json", check)
    for index, (name, row) in enumerate(models.items()):
        frame = forecasts(days, row["mae"], seed=index)
        if several:
            frame = pl.concat(monthly(frame, one, number) for number, one in enumerate(ids))
        frame.write_ipc(folder / "predictions" / f"{name}.arrow")
    _hydrology(results / "hydrology", HOSTILE if hostile else "Fulda at Grebenau, Germany")
    return results


def forecasts(days: int, mae: float, *, seed: int = 0, skip: int = 5) -> pl.DataFrame:
    """Forecasts of 24 hours from each midnight but the day `skip`, with errors that grow with the lead time."""
    origins = [datetime(2014, 1, 1) + timedelta(days=day) for day in range(days) if day != skip]
    step = np.tile(np.arange(1, 25), len(origins))
    origin = np.repeat(np.array(origins, "datetime64[us]"), 24)
    hours = np.array([(o - origins[0]) / timedelta(hours=1) for o in origins]).repeat(24) + step
    y = 90 + 60 * np.sin(hours / 31) + 40 * np.sin(hours / 170) + 15 * np.cos(hours * 2 * np.pi / 24)
    noise = np.random.default_rng(seed).normal(0, 1, len(y)) * mae * (0.6 + step / 30)
    frame = pl.DataFrame({"origin": origin, "step": step.astype(np.int16), "y": y, "yhat": np.maximum(0, y + noise)})
    frame = frame.with_columns((pl.col("yhat") + side * mae).alias(name) for name, side in (("q0.1", -1), ("q0.9", 1)))
    return frame.with_columns(ds=pl.col("origin") + pl.duration(hours=pl.col("step"))).with_columns(
        pl.col("y", "yhat", "q0.1", "q0.9").cast(pl.Float32)
    )


def monthly(frame: pl.DataFrame, name: str, number: int) -> pl.DataFrame:
    """The first forecast of `forecasts` as one of months: of the series `name`, `number` times as large."""
    one, first = frame.head(24), datetime(2015, 1 + number % 12, 1)
    months = pl.lit(first).dt.offset_by(pl.format("{}mo", pl.col("step") - 1))
    values = (pl.col(column) * (number + 1) for column in ("y", "yhat", "q0.1", "q0.9"))
    return one.with_columns(*values, id=pl.lit(name), ds=months, origin=pl.lit(first)).with_columns(
        pl.col("ds", "origin").cast(pl.Datetime("us"))
    )


def write_events(
    root: Path,
    *,
    run: str = "20260921T140640-7",
    begin: float = START,
    host: str = "node-1",
    label: str = "train {}",
    rules: tuple = (),
    active: float = 21.0,
) -> Path:
    """Events of a run on 2 cores: a pilot that is ready at `active`, then the stages, one after the other on each core.

    `rules`: pairs of rule and wildcards; left out, all stages of both pipelines.
    """
    path = root / ".deeprc" / "runs" / run / "events.jsonl"
    path.parent.mkdir(parents=True)
    rows = [
        {
            "event": "run",
            "time": begin,
            "run": run,
            "site": "localhost",
            "host": host,
            "cores": 2,
            "versions": {"deeprc": "0.1.0"},
            "command": ["snakemake"],
        },
        {"event": "pilot", "time": begin + 1, "state": "starting", "cores": 2},
        {"event": "pilot", "time": begin + active, "state": "active", "cores": 2},
    ]
    free = [begin + active, begin + active]
    for number, (rule, wildcards) in enumerate(rules or _all_stages(), 1):
        ranks = 2 if rule.endswith("prepare") else 1
        core = int(np.argmin(free))
        cores = [0, 1] if ranks == 2 else [core]
        start = max(free[c] for c in cores) + 0.5
        stop = start + {"train": 12.0, "prepare": 5.0}.get(rule.partition("_")[2], 3.0)
        for c in cores:
            free[c] = stop
        name = next(iter(wildcards.values()), rule)
        rows.append(job(number, rule, wildcards, label.format(name), ranks, cores, begin + 2, start, stop))
    end = max(free)
    rows += [
        {"event": "pilot", "time": end + 1, "state": "closing", "cores": 2},
        {"event": "pilot", "time": end + 3, "state": "closed", "cores": 2},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.parent.parent


def job(
    number: int,
    rule: str,
    wildcards: dict,
    label: str,
    ranks: int,
    cores: list[int],
    submit: float,
    start: float | None,
    stop: float | None,
    state: str = "finished",
    node: str = "node-1",
) -> dict:
    """The event of a job."""
    pipeline, _, stage = rule.partition("_")
    made = f"results/{pipeline}/{'-'.join([stage, *wildcards.values()]).replace('/', '')}"
    return {
        "event": "job",
        "time": (stop or submit) + 0.1,
        "state": state,
        "job": number,
        "rule": rule,
        "wildcards": wildcards,
        "label": label,
        "ranks": ranks,
        "cores_per_rank": 1,
        "cores": cores,
        "nodes": [node for _ in cores],
        "submit": submit,
        "start": start,
        "stop": stop,
        "exit": 0,
        "command": f"python -m deeprc.applications.{pipeline}.{stage}",
        "argv": ["mpiexec", "-n", str(ranks), "bash", "command.sh"],
        "output": [made],
        "log": f"{made}.log",
        "attempt": 1,
    }


def _all_stages() -> list[tuple[str, dict]]:
    stages = [
        ("forecasting_check", {}),
        ("hydrology_check", {}),
        ("forecasting_prepare", {}),
        ("hydrology_prepare", {}),
        ("hydrology_train", {}),
    ]
    stages += [(f"forecasting_{stage}", {"model": name}) for stage in ("train", "predict") for name in MODELS]
    return [*stages, ("hydrology_predict", {}), ("hydrology_evaluate", {}), ("forecasting_evaluate", {})]


def _hydrology(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    basins = {}
    frames = []
    for index, (basin, days) in enumerate({"fulda": 3650, "leaf-river": 1827}.items()):
        first = date(1979, 1, 1)
        t = np.arange(days)
        obs = 10 + 8 * np.sin(t * 2 * np.pi / 365) ** 2 + 40 * np.exp(-((t % 140) / 9))
        sim = obs * 0.9 + 2 + np.random.default_rng(index).normal(0, 2, days)
        split = np.where(t < days * 0.5, "train", np.where(t < days * 0.75, "val", "test"))
        observed = pl.Series(obs).set(pl.Series((t % 500) < 9), None)
        frames.append(
            pl.DataFrame(
                {
                    "basin": basin,
                    "date": [first + timedelta(days=int(d)) for d in t],
                    "split": split,
                    "obs": observed,
                    "sim": sim,
                    "quality": "good",
                }
            )
        )
        part = {
            "nse": 0.7 - index,
            "kge": 0.65 - index,
            "rmse": 4.2,
            "bias": -0.3,
            "days": int((split == "test").sum()),
        }
        about = {
            "name": name if index == 0 else "HYMOD example",
            "unit": "m³/s",
            "train": part,
            "val": part,
            "references": {"climatology": part | {"nse": 0.2}, "persistence": part},
        }
        basins[basin] = part | about | {"beats_reference": index == 0}
    _json(
        folder / "metrics.json",
        {"dataset": "fulda-leaf", "basins": basins, "model": {"variant": "small", "window": 90, "networks": {}}},
    )
    check = {
        "name": name,
        "unit": "m³/s",
        "days": 3650,
        "missing": {"obs": 3},
        "quality": {"good": 3600},
        "windows": {"train": 9},
        "sha256": {"fulda.csv": "cd" * 32},
    }
    _json(folder / "check.json", {"dataset": "fulda-leaf", "basins": {"fulda": check}})
    pl.concat(frames).write_ipc(folder / "predictions.arrow", compression="uncompressed")


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
