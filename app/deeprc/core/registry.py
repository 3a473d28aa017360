"""Kinds of things that a file names by a word, each in a file of its own: launchers, schedulers, container runtimes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from deeprc.core.errors import ConfigError, unknown

Kind = TypeVar("Kind")


class Registry(Generic[Kind]):
    """Classes by their names.

    Parameters
    ----------
    what
        What they are, for errors: `launcher`.
    attribute
        The class's attribute that its name is put into.
    """

    def __init__(self, what: str, attribute: str = "name") -> None:
        self.what, self._attribute = what, attribute
        self._classes: dict[str, type[Kind]] = {}

    def register(self, name: str) -> Callable[[type[Kind]], type[Kind]]:
        """Make a class known as `name`, the word for it in site files.

        Raises
        ------
        ConfigError
            Where another has that name: which of the two a site file means, would be chance.
        """

        def add(cls: type[Kind]) -> type[Kind]:
            if name in self._classes:
                both = (self._classes[name], cls)
                raise ConfigError(
                    f"two {self.what}s are called {name!r}",
                    found=" and ".join(f"{one.__module__}.{one.__qualname__}" for one in both),
                    fix="give one of them another name",
                )
            setattr(cls, self._attribute, name)
            self._classes[name] = cls
            return cls

        return add

    def get(self, name: str, *, where: object = None) -> type[Kind]:
        """The class of that name; a ConfigError with the nearest name where there is none."""
        if name not in self._classes:
            raise unknown(self.what, name, self._classes, where=where)
        return self._classes[name]

    def __contains__(self, name: str) -> bool:
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        """Their names, in the order of the alphabet."""
        return iter(sorted(self._classes))


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every file of a package, so that each registers what it has: a new one is found by lying there."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")
