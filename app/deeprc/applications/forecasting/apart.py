"""Series of different times, which no model can forecast together."""

from __future__ import annotations

from deeprc.core.errors import InputError


def apart(model: str, one: str, other: str) -> InputError:
    """That a model cannot take these series together."""
    return InputError(
        f"{model} forecasts all series together, and these do not begin and end at the same times",
        found=f"{one} and {other}",
        expected="series of the same times",
        fix="leave one of them out by the key 'leave_out', or name other models by the key 'models'",
    )
