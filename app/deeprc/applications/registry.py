"""The applications that are installed: whatever packages offer under the entry point group `deeprc.applications`."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import EntryPoint
from itertools import groupby

from pydantic import BaseModel, ValidationError

from deeprc.applications.base.application import Application
from deeprc.core.errors import ConfigError, nearest
from deeprc.core.needs import GROUP, THEIRS, load, points

NAME = re.compile(r"[a-z][a-z0-9_]*")
MINE = "mine"  # the key of a study's own options, which its Snakefile keeps from the pipelines
# Keys beside theirs in the configuration and what its model has beside keys, folders beside theirs in the results,
# parts of the page. What pydantic's models have is taken, too.
TAKEN = (
    "results", "min_free_mb", "pipelines", "sweep", MINE, "applications", "options", "existing_folder", "check_data",
    "check_storage", "cases", "given", "swept", "told", "notes", "data", "logs", "main", "summary", "run", "provenance",
    "fetch", "engine",
)  # fmt: skip


def applications() -> dict[str, Application]:
    """Every application that can be used, by its name, in the order of names."""
    return looked_at()[0]


def broken() -> dict[str, ConfigError]:
    """Why the others cannot, by the names of their entry points: a run that does not use them goes on."""
    return looked_at()[1]


def left_out() -> list[str]:
    """A note of each that cannot be used, for runs that do without them."""
    return [f"note: the application '{name}' is left out: {error}" for name, error in broken().items()]


@cache
def looked_at() -> tuple[dict[str, Application], dict[str, ConfigError]]:
    """The applications that can be used, and what is wrong with the others: they cannot be imported, are none, have a
    name that is no key or is taken, or that another one has, too.

    Raises
    ------
    ConfigError
        Where there is no application at all.
    """
    sound, wrong = {}, {}
    for name, found in groupby(points(), key=lambda point: point.name):
        try:
            sound[name] = _only(name, list(found))
        except ConfigError as error:
            wrong[name] = error
    return sound, wrong


def absent(name: str, *, where: object = None) -> ConfigError:
    """The error for an application that cannot be used: what is wrong with it, or the nearest of those that can."""
    if name in broken():
        return broken()[name]
    guess = nearest(name, applications())
    return ConfigError(
        f"unknown application {name!r}",
        where=where,
        found=name,
        expected=f"one of those that are installed: {', '.join(applications())}",
        fix=(f"did you mean {guess!r}? If not: " if guess else "") + "is its package installed here, beside Deep RC?",
    )


def _only(name: str, found: list[EntryPoint]) -> Application:
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} applications are called '{name}'",
            where=f"entry points {GROUP}",
            found=" and ".join(map(_source, found)),
            fix="uninstall all of these packages but one",
        )
    return _load(found[0])


def _load(point: EntryPoint) -> Application:
    try:
        made = load(point)
    except THEIRS as error:
        raise ConfigError(
            "this application cannot be imported",
            where=_source(point),
            found=f"{type(error).__name__}: {error}",
            fix="mend the package, or uninstall it",
        ) from error
    if not isinstance(made, Application) or not isinstance(getattr(made, "name", None), str):
        raise ConfigError(
            "this is no application",
            where=_source(point),
            found=type(made).__name__,
            expected="an object with a name, of a class derived from deeprc.applications.base.application.Application",
        )
    if not NAME.fullmatch(made.name) or made.name != point.name:
        raise ConfigError(
            "an application cannot be called so",
            where=_source(point),
            found=made.name if made.name == point.name else f"name {made.name!r}, entry point {point.name!r}",
            expected="small letters, digits and _, a letter first; the same name for its entry point",
        )
    if made.name in TAKEN or hasattr(BaseModel, made.name):
        members = (name for name in dir(BaseModel) if NAME.fullmatch(name))
        raise ConfigError(
            "an application cannot be called so: its name would be a key of the configuration, which has it already",
            where=_source(point),
            found=made.name,
            expected=f"none of {', '.join(sorted({*TAKEN, *members}))}",
        )
    _refuse_half(made, _source(point))
    return made


def _refuse_half(made: Application, where: str) -> None:
    """Refuse an application that lacks what the workflow will ask it for."""
    own = {"preparing": "preparation", "trained": "training"}  # methods that do without the model
    needed = [model for method, model in own.items() if getattr(type(made), method) is getattr(Application, method)]
    for name in ("configuration", *needed):
        model = getattr(made, name, None)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise ConfigError(
                f"this application says nothing of its {name}",
                where=where,
                found=repr(model),
                expected="a pydantic model",
            )
        if strange := sorted(set(model.model_fields) - set(made.configuration.model_fields)):
            raise ConfigError(
                f"options of this application's {name} are not in its configuration",
                where=where,
                found=", ".join(strange),
            )
    try:
        made.configuration()
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, issue["loc"])) for issue in error.errors())
        raise ConfigError(
            "keys of this application have no default that fits",
            where=where,
            found=keys,
            expected="a default for each: the configuration of an application that does not run is left out",
        ) from None
    if made.rules is not None and not made.rules.is_file():
        raise ConfigError("the rules of this application are not there", where=where, found=made.rules)


def _source(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "?"
    return f"{point.value} of the package {package}"
