"""What each pipeline leaves in its folder, with the record of what it was made from: one list for whoever compares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deeprc.core.fingerprint import Record, differences, part_of, read, refuse, trained

CHECK, METRICS = "check.json", "metrics.json"


def _forecasting(folder: Path, record: Record) -> dict[Path, Record | None]:
    prepared = part_of(record)
    found = {folder / CHECK: prepared, folder / "prepared": prepared}
    for model, options in record.get("train", {}).items():
        found[folder / "models" / model] = trained(prepared, options)
        found[folder / "predictions" / f"{model}.arrow"] = trained(prepared, options)
    return found | {folder / METRICS: record}


def _hydrology(folder: Path, record: Record) -> dict[Path, Record | None]:
    prepared = part_of(record)
    found = {folder / CHECK: prepared, folder / "prepared": prepared}
    return found | {folder / name: record for name in ("model", "predictions.arrow", METRICS)}


PRODUCTS: dict[str, Callable[[Path, Record], dict[Path, Record | None]]] = {
    "forecasting": _forecasting,
    "hydrology": _hydrology,
}


def stale(pipeline: str, folder: Path, record: Record) -> dict[Path, list[str]]:
    """The products in `folder` that are not of `record` (the one that its metrics should have), each with the reasons.

    What is not there is not stale: whoever asks knows what to do about it.
    """
    found = PRODUCTS[pipeline](folder, record)
    told = {path: list(differences(read(path), expected)) for path, expected in found.items() if path.exists()}
    return {path: reasons for path, reasons in told.items() if reasons}


def refuse_mixed(pipeline: str, folder: Path) -> None:
    """Raise a MixError for a product in `folder` that is not of the data and options that its metrics are of."""
    record = read(folder / METRICS)
    if record is None:  # of a stage that was run by hand on data of one's own making
        return
    for path, expected in PRODUCTS[pipeline](folder, record).items():
        if path.exists():
            refuse(path, read(path), expected, folder / METRICS)
