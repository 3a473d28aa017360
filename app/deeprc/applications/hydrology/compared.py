"""Rivers: what one network for all basins makes of each, and one of its own, beside naive references."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deeprc.applications.base.stages import stage
from deeprc.applications.hydrology.config import AREAS, HydrologyConfig
from deeprc.core.errors import ConfigError
from deeprc.core.files import read_json
from deeprc.core.validation import validate
from deeprc.reporting.provenance import measured_on

STAGES = "deeprc.applications.hydrology"


def run(data: Path | None, options: dict, seed: int, threads: int, basins: Sequence[str] = ()) -> dict:
    """Train on all basins together, then on each by itself, and judge both on the test part.

    Parameters
    ----------
    data
        The folder of CAMELS-US; None: the two rivers of the demo, which are fetched. These have a network each in the
        demo, too, and none together.
    options
        Of the pipeline (`HydrologyConfig`), beside the data.
    basins
        Those to take; all that there are, where none is named.

    Returns
    -------
    dict
        `basins`: by basin the `regional` and the `own` network's NSE and KGE, the references' and the days; the `load`
        before, what all trainings took (`train_s`), what was used and what it was measured on.

    Raises
    ------
    ConfigError
        For an entity-aware network: no basin can have one of its own.
    """
    if options.get("variant") == "entity-aware":
        raise ConfigError(
            "each basin gets a network of its own here, too, which an entity-aware one cannot be",
            found="--variant entity-aware", expected="small or paper",
        )  # fmt: skip
    load, demo = os.getloadavg()[0], data is None
    options = options if demo else {"forcing": HydrologyConfig.model_fields["forcing"].default} | options
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        known = {"dataset": "fulda-leaf" if demo else "camels-us", **options, "seed": seed}
        paths = [_fetched(name, folder) for name in AREAS] if demo else [data]

        def metrics(names: Sequence[str], out: str) -> dict:
            return _metrics(paths, known | ({"basins": list(names)} if names else {}), folder / out, threads)

        every = metrics(basins, "all")
        alone = [every] if demo else [metrics([basin], basin) for basin in every["basins"]]
    own = {basin: figures for found in alone for basin, figures in found["basins"].items()}
    return {
        "dataset": known["dataset"], "options": options, "seed": seed, "window": every["model"]["window"],
        "basins": {basin: compared(None if demo else every["basins"][basin], own[basin]) for basin in own},
        "load": round(load, 2), "train_s": round(sum(each["train_s"] for each in ([] if demo else [every]) + alone), 1),
        "machine": measured_on(("deeprc", "tensorflow-cpu", "keras")), "threads": threads,
    }  # fmt: skip


def compared(regional: dict | None, own: dict) -> dict:
    """A basin's figures side by side; both networks, where there are two, are judged on the same days."""
    rows = ({"regional": regional} if regional else {}) | {"own": own, **own["references"]}
    return {"days": own["days"]} | {name: {key: row[key] for key in ("nse", "kge")} for name, row in rows.items()}


def table(figures: dict) -> str:
    """The figures as a table in Markdown: NSE / KGE."""
    first = next(iter(figures["basins"].values()))
    names = [name for name in ("regional", "own", "climatology", "persistence") if name in first]
    lines = [f"| basin | days | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for basin, found in figures["basins"].items():
        cells = [" / ".join(_number(found[name][key]) for key in ("nse", "kge")) for name in names]
        lines.append(f"| `{basin}` | {found['days']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _fetched(name: str, folder: Path) -> Path:
    path = folder / f"{name}.csv"
    stage("deeprc.core.datasets", name, "--out", path, threads=1, say=_saying("data"))
    return path


def _saying(whose: str) -> Callable[[str], None]:
    return lambda line: print(f"{whose}: {line}", file=sys.stderr, flush=True)


def _metrics(paths: Sequence[Path], options: dict, folder: Path, threads: int) -> dict:
    """metrics.json, with the seconds of `train` (`train_s`)."""
    path = str(paths[0]) if len(paths) == 1 else [str(path) for path in paths]
    config = validate(HydrologyConfig, {**options, "path": path}, where="the options")
    folder.mkdir()
    say = _saying(", ".join(options.get("basins", ["all basins"])))

    def go(name: str, *arguments: object) -> float:
        began = time.monotonic()
        stage(f"{STAGES}.{name}", *arguments, threads=threads, say=say)
        return time.monotonic() - began

    prepared, model, predictions = folder / "prepared", folder / "model", folder / "predictions.arrow"
    go("check", "--config", config.data_json(), "--out", folder / "check.json", *paths)
    go("prepare", "--config", config.data_json(), "--out", prepared, *paths)
    there = ("--prepared", prepared, "--threads", threads)
    took = go("train", *there, "--config", config.train_json(), "--how", '{"device": "cpu"}', "--out", model)
    go("predict", *there, "--model", model, "--device", "cpu", "--out", predictions)
    out = folder / "metrics.json"
    go("evaluate", "--prepared", prepared, "--model", model, "--predictions", predictions, "--out", out)
    return read_json(out) | {"train_s": took}
