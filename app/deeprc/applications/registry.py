"""The applications that are installed: whatever packages offer under the entry point group `deeprc.applications`."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from deeprc.applications.base.application import Application
from deeprc.core.errors import ConfigError

GROUP = "deeprc.applications"
NAME = re.compile(r"[a-z][a-z0-9_]*")
TAKEN = ("results", "min_free_mb", "pipelines")  # keys beside theirs in the configuration


@cache
def applications() -> dict[str, Application]:
    """Every application by its name, in the order of names.

    Raises
    ------
    ConfigError
        For one that cannot be imported, is none, has a name that is no key or is taken; where there is none at all.
    """
    found: dict[str, tuple[EntryPoint, Application]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        made = _load(point)
        if made.name in found:
            raise ConfigError(
                f"two applications are called '{made.name}'",
                where=f"entry points {GROUP}",
                found=f"{_source(found[made.name][0])} and {_source(point)}",
                fix="uninstall one of the two packages",
            )
        found[made.name] = point, made
    if not found:
        raise ConfigError(
            "no application is installed, not even Deep RC's own",
            where=f"entry points {GROUP}",
            found="an installation of an earlier release",
            fix="install Deep RC anew: make install (or pip install --no-deps --no-build-isolation --editable .)",
        )
    return {name: made for name, (_, made) in found.items()}


def _load(point: EntryPoint) -> Application:
    try:
        made = point.load()
    except Exception as error:  # somebody else's code
        raise ConfigError(
            "this application cannot be imported",
            where=_source(point),
            found=f"{type(error).__name__}: {error}",
            fix="mend the package, or uninstall it",
        ) from error
    if not isinstance(made, Application):
        raise ConfigError(
            "this is no application",
            where=_source(point),
            found=type(made).__name__,
            expected="an object of a class that is derived from deeprc.applications.base.application.Application",
        )
    if not NAME.fullmatch(made.name) or made.name in TAKEN or made.name != point.name:
        raise ConfigError(
            "an application cannot be called so",
            where=_source(point),
            found=made.name,
            expected=f"small letters, digits and _; the name of its entry point; none of {', '.join(TAKEN)}",
        )
    return made


def _source(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "?"
    return f"{point.value} of the package {package}"
