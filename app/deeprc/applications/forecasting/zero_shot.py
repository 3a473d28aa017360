"""A forecast by a model that never saw these series: Fracast-0, whose weights lie in its wheel (the extra `zero-shot`).

85,001 parameters, Apache-2.0 (github.com/ztxtech/fracast-0). What it was trained on is said by its authors alone: of
public series, such as ETT, it may have seen the very numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from deeprc.applications.forecasting.optional import PACKAGE
from deeprc.applications.forecasting.series import Series
from deeprc.core.errors import InputError
from deeprc.core.files import sha256

VERSION = "0.1.0"
WEIGHTS = "0d678f123f3d1f91c5065cca2b5d40eccc469360afc2381b27290486011ded2c"  # of model.safetensors
WINDOWS = 200  # at most: on one core it forecasts some 20 in a second, over a horizon of up to 48 steps
CONTEXT = 2048  # rows of the past that it looks at
LEAST = 8  # known values of the past that it asks for
AT_ONCE = 20


def absent() -> str | None:
    """Why there is no zero-shot forecast; None where there can be one."""
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        return f"{PACKAGE} is not installed: pip install 'deeprc[zero-shot]'"
    return None


def chosen(series: Series) -> np.ndarray:
    """The numbers of the test part's windows that it forecasts: at most `WINDOWS`, spread evenly over all.

    A window before which too little was observed is none of them.
    """
    origins = series.origins("test", stride=series.meta["horizon"])
    known = np.concatenate([[0], np.cumsum(series.observed)])
    first = np.maximum(series.bounds[series.number(origins), 0], origins - CONTEXT)
    numbers = np.flatnonzero(known[origins] - known[first] >= LEAST)
    few = min(WINDOWS, len(numbers))
    return numbers[np.round(np.linspace(0, len(numbers) - 1, few)).astype(int)] if few else numbers


def zero_shot_forecast(series: Series, numbers: np.ndarray, say: Callable[[str], None]) -> np.ndarray:
    """Its medians for some windows of the test part: from all that was observed of their series before them.

    Of these it takes the last rows, as many as it was made for. Gaps are told as such.

    Parameters
    ----------
    numbers
        As from `chosen`.

    Returns
    -------
    numpy.ndarray
        Forecasts [numbers, horizon] in the target's unit.

    Raises
    ------
    InputError
        Where the weights are not those of the release that is known here.
    """
    model = _model()
    horizon = series.meta["horizon"]
    origins = series.origins("test", stride=horizon)[numbers]
    begins = series.bounds[series.number(origins), 0]
    median = int(np.argmin(np.abs(np.asarray(model.quantiles) - 0.5)))
    found = []
    for first in range(0, len(origins), AT_ONCE):
        rows = np.full((len(origins[first : first + AT_ONCE]), CONTEXT), np.nan, np.float32)
        for row, origin, begin in zip(rows, origins[first:], begins[first:], strict=False):
            known = series.y_raw[max(begin, origin - CONTEXT) : origin]
            row[CONTEXT - len(known) :] = known
        found.append(model.forecast_batch(rows, horizon=horizon)[:, :, median])
        say(f"zero-shot: {min(first + AT_ONCE, len(origins))} of {len(origins)} windows")
    return np.concatenate(found).astype(np.float64)


def _model():
    import fracast
    import torch
    from fracast.inference import FracastModel

    torch.set_num_threads(1)  # the stage has one core

    weights = Path(fracast.__file__).parent / "weights" / "model.safetensors"
    if version(PACKAGE) != VERSION or not weights.is_file() or sha256(weights) != WEIGHTS:
        raise InputError(
            "the zero-shot model is not the one that is known here", where=weights,
            found=f"{PACKAGE} {version(PACKAGE)}, " + ("other weights" if weights.is_file() else "no weights"),
            expected=f"{PACKAGE} {VERSION}, SHA-256 {WEIGHTS[:16]}…",
            fix=f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}, or uninstall it",
        )  # fmt: skip
    return FracastModel.from_pretrained(weights="fp32")
