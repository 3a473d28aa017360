"""What the forecasting pipeline is told of its data: part of its configuration."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from deeprc.applications.base.split import Split
from deeprc.applications.forecasting.step import TimeStep
from deeprc.core.settings import Settings

Positive = Annotated[int, Field(gt=0)]
Column = Annotated[str, Field(min_length=1)]


class DataConfig(Settings, BaseModel):
    """What `check` and `prepare` need."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dataset: Literal["beijing", "ett", "csv"] = "beijing"
    """`csv`: a text table or Parquet file of your own; `beijing`: the hourly PM2.5 and weather of Beijing; `ett`: the
    files of ETT (ETTh1, ETTm1 and so on)."""
    title: str | None = None
    """What the data are called in the report; the file's name when left out."""
    unit: str | None = None
    """The target's unit, as it is to stand in the report."""
    time: Column | list[Column] | None = None
    """The column of the times, or the columns that make a time together (year, month, day, hour)."""
    target: Column | None = None
    """The column to forecast; the data set's own when left out (pm2.5, OT)."""
    covariates: list[Column] | None = None
    """The columns that models may see the past of; all others that hold numbers when left out, `[]` for none."""
    series: Column | None = None
    """The column that says which series a row belongs to; `unique_id` where the file has it. One model is trained for
    all series together."""
    leave_out: list[str | int] = []
    """Series that are not to be used, by their names in that column."""
    season: Positive | None = None
    """Steps of a season, for the seasonal naive forecast and MASE; 1 for none. From the step when left out (15 minutes:
    96, hours: 24, days: 7, weeks: 52, months: 12, quarters: 4)."""
    step: str | None = None
    """The time from one row to the next, such as `15m`, `1h`, `1d`, `1w`, `1mo`, `1q` or `1y`; found when left out."""
    time_format: str | None = None
    """The form of the times, such as `%d/%m/%Y %H:%M`; or `excel`, `s`, `ms`, `us`, `ns` for counts of days since 1899
    or of seconds (or parts of them) since 1970; found when left out."""
    time_zone: str | None = None
    """The zone of local times, such as `Europe/Berlin`: they become UTC, so that no hour stands twice in autumn; the
    times of days and longer steps stay."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """The character between two fields, such as `;`, `,` or a tab (`"\\t"`); found when left out."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign of numbers; found when left out."""
    encoding: str | None = None
    """The encoding of a text file, such as `latin-1`; UTF-8, UTF-16 and Windows-1252 are found."""
    missing: list[str] | None = None
    """Words or numbers that mean that a value is missing, such as `-9999`, beside NA, NaN, null, `-`, `?` and nothing.
    When left out, numbers such as -9999 that lie far below all others are missing too; `[]` makes them values."""
    horizon: Positive = 24
    """Steps ahead to forecast."""
    input_size: Positive = 96
    """Steps of the past to forecast from."""
    split: Split = (0.7, 0.1)
    """Fractions of the time that train and validate, of each series' own length; what is left tests."""
    calendar_as: Literal["circles", "numbers"] = "circles"
    """How models are told the calendar: as points on `circles` (hour, weekday, month), or as `numbers` from -0.5 to 0.5
    (minute, hour, weekday, day of the month and of the year), as Informer's authors and many after them."""
    max_gap: Annotated[int, Field(ge=0)] = 6
    """Gaps of at most so many steps are interpolated, where both ends lie before a forecast; longer ones count in no
    loss and no metric."""

    @field_validator("separator", mode="before")
    @classmethod
    def _tab_by_its_name(cls, value: object) -> object:
        return (
            {"\\t": "\t", "tab": "\t", "blank": " ", "space": " "}.get(value, value)
            if isinstance(value, str)
            else value
        )

    @field_validator("missing", mode="before")
    @classmethod
    def _words_and_numbers(cls, value: object) -> object:
        values = value if isinstance(value, list) or value is None else [value]
        return values and [word if isinstance(word, str) else json.dumps(word) for word in values]

    @field_validator("step")
    @classmethod
    def _step_is_understood(cls, step: str | None) -> str | None:
        return step if step is None else TimeStep.parse(step) and step
