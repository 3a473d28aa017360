"""Stage evaluate: the skill per basin and part, beside naive references on the very same days."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import read_arrow
from deeprc.applications.base.reference import beats
from deeprc.applications.base.trained import read_model
from deeprc.applications.hydrology.metrics import skill
from deeprc.applications.hydrology.prepared import Prepared, read_prepared
from deeprc.applications.hydrology.reference import climatology, persistence
from deeprc.applications.hydrology.samples import groups
from deeprc.core import fingerprint
from deeprc.core.files import write_json
from deeprc.core.stage import run


def evaluate_basin(simulated: pl.DataFrame, observed: pl.DataFrame, others: pl.DataFrame | None = None) -> dict:
    """The figures of one basin.

    Parameters
    ----------
    simulated
        The basin's rows of the predictions, sorted by date.
    observed
        Its rows of the prepared frame, sorted by date: they hold more days than the predictions.
    others
        Those of the basins that its network has learned from, where it is held out: its climatology is theirs.

    Returns
    -------
    The test part's skill, then `train`, `val` and `references`, each with the same figures; `beats_reference` tells
    whether the test NSE is above the climatology's (None where it is not defined).
    """
    known = observed if others is None else pl.concat([others, observed])
    days = known["date"].to_numpy().astype("datetime64[D]")
    obs = known["obs"].fill_null(np.nan).to_numpy()
    season = climatology(days, obs, (known["split"] == "train").to_numpy())
    naive = observed.select("date").with_columns(
        pl.Series("climatology", season[-len(observed) :]),
        pl.Series("persistence", persistence(days, obs)[-len(observed) :]),
    )
    rows = simulated.join(naive, on="date", how="left", maintain_order="left")
    parts = {name: _skill(rows.filter(pl.col("split") == name), "sim") for name in ("train", "val", "test")}
    test = rows.filter(pl.col("split") == "test")
    references = {name: _skill(test, name) for name in ("climatology", "persistence")}
    return parts["test"] | {
        "train": parts["train"],
        "val": parts["val"],
        "references": references,
        "beats_reference": beats(parts["test"]["nse"], references["climatology"]["nse"], better="higher"),
    }


def metrics(prepared: Prepared, predictions: pl.DataFrame) -> dict[str, dict]:
    """The figures of every basin, with its name, its unit, and whether it is held out."""
    frame, found = prepared.frame, {}
    alike = list(groups(prepared).values())
    for basin, about in prepared.basins.items():
        held_out, others = bool(about.get("held_out")), None
        if held_out:
            mine = next(basins for basins in alike if basin in basins)
            others = frame.filter(pl.col("basin").is_in(mine) & (pl.col("split") == "train"))
        rows = predictions.filter(pl.col("basin") == basin).sort("date")
        found[basin] = {"name": about["name"], "unit": about["unit"], "held_out": held_out}
        found[basin] |= evaluate_basin(rows, frame.filter(pl.col("basin") == basin), others)
    return found


def about_network(network: dict, basins: dict[str, dict]) -> dict:
    """What the metrics say of a network: among its basins are those `held_out`, of which it has learned nothing."""
    held_out = [basin for basin in network["basins"] if basins[basin].get("held_out")]
    kept = {key: network[key] for key in ("basins", "parameters", "best_epoch")}
    return kept | {"epochs": len(network["losses"])} | ({"held_out": held_out} if held_out else {})


def _skill(rows: pl.DataFrame, column: str) -> dict:
    return skill(*(rows[name].fill_null(np.nan).to_numpy() for name in ("obs", column)))


def main(
    prepared: commandline.Prepared,
    model: commandline.Trained,
    predictions: Annotated[Path, typer.Option(help="the file that predict wrote")],
    out: Annotated[Path, typer.Option(help="the JSON file to write")],
) -> None:
    """Compute NSE, KGE, RMSE and bias of every basin.

    Example:
    `python -m deeprc.applications.hydrology.evaluate --prepared p --model model --predictions p.arrow --out m.json`
    """
    data = read_prepared(prepared)
    trained = read_model(model, data.meta.get(fingerprint.KEY), prepared)
    made_from, simulated = trained.get(fingerprint.KEY), read_arrow(predictions)
    fingerprint.refuse(predictions, fingerprint.from_arrow(simulated.schema.metadata), made_from, model)
    basins = metrics(data, pl.from_arrow(simulated))
    for basin, found in basins.items():
        print(f"{basin}: test NSE {found['nse']}, KGE {found['kge']} ({found['days']} days)")
    networks = {network["name"]: about_network(network, data.basins) for network in trained["networks"]}
    about = {"variant": trained["options"]["variant"], "window": trained["window"], "networks": networks}
    write_json(out, {"dataset": data.meta["dataset"], "basins": basins, "model": about, fingerprint.KEY: made_from})


if __name__ == "__main__":
    run(main)
