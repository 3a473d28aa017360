"""How a user has a pilot's job queued and charged, and how each batch system is told of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from deeprc.core.errors import ConfigError
from deeprc.schedulers import Scheduler

FLAGS = {"exclusive"}  # without a value of their own
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


@dataclass(frozen=True)
class Queueing:
    """What a user asks of the batch system for a pilot's job; what is not given is as the site file has it.

    Attributes
    ----------
    account
        Whom it charges.
    qos, reservation
        Its quality of service; its reservation (in PBS Pro, the queue of that).
    constraint
        Features that nodes must have beside those that the site file asks for.
    exclusive
        Whether nodes are the job's alone.
    """

    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    exclusive: bool = False

    @property
    def given(self) -> dict[str, str]:
        """The settings that were given, as text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) for name, value in values.items() if value}

    def check(self, batch: Scheduler) -> None:
        """Raise a ConfigError for a setting that the batch system has no word for."""
        for name, value in self.given.items():
            if name not in batch.settings:
                what = f"{batch.name} has no option for it" if batch.batch else "there is no batch system"
                raise ConfigError(
                    f"{name} is asked for, but {what}",
                    found=f"--radical-pilot-{name}" + ("" if name in FLAGS else f" {value}"),
                    expected="one of " + ", ".join(batch.settings),
                    fix="leave it out, or write what is meant into the site file's scheduler_options",
                )

    def options(self, batch: Scheduler, site: Sequence[str], environment: Mapping[str, str] | None = None) -> list[str]:
        """The words of the `site`'s options and of these: one that stands in both is the user's.

        `$NAME` in the site's own words is that variable of the user's; a constraint is added to the site's.
        """
        self.check(batch)
        words, own = list(site), []
        for name, value in self.given.items():
            spelt = batch.settings[name]
            words, before = _without(words, spelt, name in FLAGS)
            if before:
                value = batch.joined(name, before[-1], value)
            if name in FLAGS:
                own.append(spelt[0])
            else:
                own += [f"{spelt[0]}={value}"] if spelt[0].startswith("--") else [spelt[0], value]
        environment = os.environ if environment is None else environment
        return [_filled(word, batch, environment) for word in words] + own


NOTHING = Queueing()


def _without(words: list[str], spelt: tuple[str, ...], flag: bool) -> tuple[list[str], list[str]]:
    """The words without an option, and the values that it had."""
    kept, values = [], []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in spelt:
            kept.append(word)
        elif equals or flag:
            values.append(value)
        else:
            values.append(next(rest, ""))
    return kept, values


def _filled(word: str, batch: Scheduler, environment: Mapping[str, str]) -> str:
    def value(match: re.Match) -> str:
        name = match[1] or match[2]
        if environment.get(name):
            return environment[name]
        settings = [setting for setting, spelt in batch.settings.items() if word.split("=")[0] in spelt]
        raise ConfigError(
            f"${name} is not set, and the site's options for the batch system name it",
            found=word,
            fix=f"export {name}=…" + "".join(f", or give --radical-pilot-{setting}" for setting in settings),
        )

    return _VARIABLE.sub(value, word)
