"""What every launcher has, and the register that it is found in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deeprc.errors import unknown

_LAUNCHERS: dict[str, type[Launcher]] = {}


@dataclass(frozen=True)
class Layout:
    """How a task lies on its nodes."""

    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0


class Launcher(ABC):
    """A program that starts ranks.

    Parameters
    ----------
    environment
        The virtual environment that the ranks run in.
    """

    name: ClassVar[str]
    method: ClassVar[str]  # what RADICAL-Pilot calls it

    def __init__(self, environment: Path) -> None:
        self.environment = environment

    @abstractmethod
    def command(self, layout: Layout) -> list[str]:
        """What stands before the command that the ranks run."""

    def pilot_settings(self) -> dict:
        """This launcher's entry in RADICAL-Pilot's resource configuration."""
        return {}


def register(name: str) -> Callable[[type[Launcher]], type[Launcher]]:
    """Make a launcher known as `name`, the word for it in site files."""

    def add(cls: type[Launcher]) -> type[Launcher]:
        cls.name = name
        _LAUNCHERS[name] = cls
        return cls

    return add


def launcher(name: str, environment: Path) -> Launcher:
    """The launcher called `name`."""
    if name not in _LAUNCHERS:
        raise unknown("launcher", name, _LAUNCHERS)
    return _LAUNCHERS[name](environment)
