"""Options of a model that would change nothing: refused by name, since whoever gives one counts on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deeprc.applications.forecasting.zoo import entry
from deeprc.core.errors import ConfigError

if TYPE_CHECKING:
    from deeprc.applications.forecasting.config import ForecastingConfig, ModelConfig
    from deeprc.learning.config import Optimisation


def refuse_idle(models: dict[str, ModelConfig], intervals: Sequence[float]) -> None:
    """Refuse options of models that have no effect, be they what is usual.

    Raises
    ------
    ValueError
        Naming the key, and all models that it is to be left out of.
    """
    losses = {name: model.loss for name, model in models.items() if model.loss}
    if intervals and losses:
        raise ValueError(f"with intervals models learn quantiles alone: leave out the key loss of {_told(losses)}")
    if own := {name: loss for name, loss in losses.items() if entry(name).probabilistic}:
        raise ValueError(
            f"what is learned is a distribution, by its likelihood: leave out the key loss of {_told(own)}"
        )
    levels = {name: model.level for name, model in models.items() if model.level == "last"}
    if meant := {name: level for name, level in levels.items() if entry(name).probabilistic}:
        raise ValueError(
            "a distribution is learned of windows that are shifted by their mean: leave out the key level of "
            f"{_told(meant)}, or give mean or none"
        )
    calendars = {name: model.calendar for name, model in models.items() if model.calendar is not None}
    if blind := {name: str(told).lower() for name, told in calendars.items() if not entry(name).future}:
        raise ValueError(f"there are models that take no calendar: leave out the key calendar of {_told(blind)}")


def refuse_untold(form: str, models: dict[str, ModelConfig]) -> None:
    """Refuse a form of the calendar where no model is told it.

    Raises
    ------
    ValueError
        Naming the key.
    """
    if form != "circles" and not any(entry(name).future and own.calendar is not False for name, own in models.items()):
        raise ValueError(f"none of these models is told the calendar: leave out the key calendar_as ({form})")


def refuse_judges(models: dict[str, ModelConfig], optimisation: Optimisation, *, stage: bool = False) -> None:
    """Refuse what chooses by the validation part where that is learned from.

    A `stage` is told all options, those left out, too: there `validations` are only how often the log tells a loss.

    Raises
    ------
    ValueError
        Naming the keys.
    """
    given = [f"models.{name}.validations ({own.validations})" for name, own in models.items() if own.validations]
    wanted = optimisation.model_dump(exclude_defaults=True)
    place, judges = ("optimisation", ["patience"]) if stage else ("training.optimisation", ["validations", "patience"])
    given += [f"{place}.{key} ({wanted[key]})" for key in judges if key in wanted]
    if optimisation.halving:
        given.append("the halving of a sweep")
    if given:
        raise ValueError(
            "with_validation: the validation part is learned from, and can judge nothing: leave out " + ", ".join(given)
        )


def refuse_large_batch(options: ForecastingConfig, windows: dict[str, int]) -> None:
    """Refuse a batch with more windows than there are to learn from: a step would take some of them twice and more.

    A model's usual one may be larger. `windows` as from `splits.windows`, with the validation part where that is
    learned from.

    Raises
    ------
    ConfigError
        Naming the model, and how many windows it has.
    """
    parts = "training and validation part" if options.with_validation else "training part"
    for name, own in options.models.items():
        there = windows["together" if entry(name).joint else "each"]
        if (batch := own.batch_size or options.batch_size or 0) > there:
            raise ConfigError(
                f"the batch_size of {name} is larger than all that it is to learn from",
                found=f"{batch:,}",
                expected=f"at most the {there:,} windows of the {parts}",
                fix="give a smaller one, or leave it out",
            )


def _told(values: dict[str, object]) -> str:
    return ", ".join(f"{name} ({value})" for name, value in values.items())
