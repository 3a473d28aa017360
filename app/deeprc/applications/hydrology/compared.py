"""Rivers of CAMELS-US: what one network for all basins makes of each, and one of its own, beside naive references."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deeprc.applications.base.stages import stage
from deeprc.applications.hydrology.config import HydrologyConfig
from deeprc.core.errors import ConfigError
from deeprc.core.files import read_json
from deeprc.core.shipped import installed
from deeprc.core.validation import validate
from deeprc.reporting.provenance import machine

STAGES = "deeprc.applications.hydrology"


def run(data: Path, options: dict, seed: int, threads: int) -> dict:
    """Train on all basins together, then on each by itself, and judge both on the test part.

    Parameters
    ----------
    data
        The folder of CAMELS-US.
    options
        Of the pipeline (`HydrologyConfig`), beside the data.

    Returns
    -------
    dict
        `basins`: by basin the `regional` and the `own` network's NSE and KGE, the references' and the days; what was
        used and what it was measured on.

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
    with tempfile.TemporaryDirectory() as folder:
        every = _metrics(data, options | {"seed": seed}, None, Path(folder, "all"), threads)
        basins = list(every["basins"])
        own = {
            basin: _metrics(data, options | {"seed": seed}, [basin], Path(folder, basin), threads)["basins"][basin]
            for basin in basins
        }
    found = {basin: compared(every["basins"][basin], own[basin]) for basin in basins}
    return {
        "dataset": "camels-us", "options": options, "seed": seed, "window": every["model"]["window"], "basins": found,
        "machine": {**machine(), "versions": installed(("deeprc", "tensorflow-cpu", "keras"))}, "threads": threads,
    }  # fmt: skip


def compared(regional: dict, own: dict) -> dict:
    """A basin's figures side by side; both networks are judged on the same days."""
    rows = {"regional": regional, "own": own, **regional["references"]}
    return {"days": regional["days"]} | {name: {key: row[key] for key in ("nse", "kge")} for name, row in rows.items()}


def table(figures: dict) -> str:
    """The figures as a table in Markdown: NSE / KGE."""
    names = ("regional", "own", "climatology", "persistence")
    lines = [f"| basin | days | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for basin, found in figures["basins"].items():
        cells = [" / ".join(_number(found[name][key]) for key in ("nse", "kge")) for name in names]
        lines.append(f"| `{basin}` | {found['days']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _metrics(data: Path, options: dict, basins: Sequence[str] | None, folder: Path, threads: int) -> dict:
    given = {"dataset": "camels-us", "path": str(data), **options} | ({"basins": list(basins)} if basins else {})
    config = validate(HydrologyConfig, given, where="the options")
    folder.mkdir()
    whose = ", ".join(basins) if basins else "all basins"

    def say(line: str) -> None:
        print(f"{whose}: {line}", file=sys.stderr, flush=True)

    def go(name: str, *arguments: object) -> None:
        stage(f"{STAGES}.{name}", *arguments, threads=threads, say=say)

    prepared, model, predictions = folder / "prepared", folder / "model", folder / "predictions.arrow"
    go("check", "--config", config.data_json(), "--out", folder / "check.json", data)
    go("prepare", "--config", config.data_json(), "--out", prepared, data)
    there = ("--prepared", prepared, "--threads", threads)
    go("train", *there, "--config", config.train_json(), "--how", '{"device": "cpu"}', "--out", model)
    go("predict", *there, "--model", model, "--device", "cpu", "--out", predictions)
    out = folder / "metrics.json"
    go("evaluate", "--prepared", prepared, "--model", model, "--predictions", predictions, "--out", out)
    return read_json(out)
