"""The shapes of a run's pilots, as `--radical-pilot-pilots` has them: how many in turn, a list of shapes, or `auto`."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from deeprc.core.errors import ConfigError, unknown

OPTION = "--radical-pilot-pilots"
AUTO = "auto"
AGAIN = 3  # how often a pilot of a list may be replaced, if not said
OF_A_PILOT = ("partition", "nodes", "cores", "gpus", "runtime", "image")
OF_MANY = {"min": "least", "max": "most", "replacements": "replacements"}
TEXTS = ("partition", "image")
MAY_BE_NONE = ("gpus", "min", "replacements")
FORM = "partition=NAME,nodes=2,max=3"


@dataclass(frozen=True)
class PilotShape:
    """Pilots of one kind. What is None is as the settings of the run say.

    Attributes
    ----------
    partition, nodes, cores, gpus, runtime, image
        Of each of them: as `--radical-pilot-partition` … say for one; `gpus` are the accelerators of a node that are
        asked for, all of them if not given.
    least
        How many stay, once the run has begun, although nothing is to do.
    most
        How many there may be at once.
    replacements
        How often each may be replaced, where it is lost or its time is over before all is done.
    name
        What people call it; empty where there is no other.
    """

    partition: str | None = None
    nodes: int | None = None
    cores: int | None = None
    gpus: int | None = None
    runtime: int | None = None
    image: str | None = None
    least: int = 0
    most: int = 1
    replacements: int = AGAIN
    name: str = ""

    def settings(self, given: Any) -> Any:
        """The run's settings with what this shape says instead."""
        own = copy.copy(given)
        for name in OF_A_PILOT:
            if getattr(self, name) is not None:
                setattr(own, name, getattr(self, name))
        return own


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Attributes
    ----------
    shapes
        The list; of `auto` the one that all chosen ones follow.
    auto
        Whether partitions are chosen by what jobs ask for.
    in_turn
        How many pilots follow each other at most; as for a run of one shape.
    """

    shapes: tuple[PilotShape, ...]
    auto: bool = False
    in_turn: int = 1

    @property
    def listed(self) -> bool:
        """Whether more than a number was given: pilots end when they are idle."""
        return self.auto or any(shape.name for shape in self.shapes)


def read(words: Sequence[str]) -> Wish:
    """What these words of the command line, or items of the profile, ask for.

    Raises
    ------
    ConfigError
        For what is not understood, with the word.
    """
    texts = [str(word).strip() for word in words]
    if not texts:
        raise _refuse("nothing", f"a number, {AUTO}, or shapes as {FORM}")
    if len(texts) == 1 and re.fullmatch(r"[+-]?\d+", texts[0]):
        if (number := int(texts[0])) < 1:
            raise _refuse(texts[0], "1 or more pilots, one after the other")
        return Wish((PilotShape(replacements=number - 1),), in_turn=number)
    if texts[0].partition(",")[0] == AUTO:
        if len(texts) > 1:
            raise _refuse(" ".join(texts), f"{AUTO} alone: it chooses the partitions itself")
        shape = _shape(texts[0].partition(",")[2], texts[0]) if "," in texts[0] else PilotShape()
        if shape.partition is not None:
            raise _refuse(texts[0], f"{AUTO} without partition: it chooses that itself")
        return Wish((shape,), auto=True, in_turn=shape.replacements + 1)
    shapes = [_shape(text, text) for text in texts]
    return Wish(_named(shapes), in_turn=max(shape.replacements for shape in shapes) + 1)


def _shape(text: str, whole: str) -> PilotShape:
    values = _pairs(text, whole)
    for name in values:
        if name not in (*OF_A_PILOT, *OF_MANY):
            raise unknown("key of a pilot's shape", name, [*OF_A_PILOT, *OF_MANY], where=f"{OPTION} {whole}")
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name in TEXTS:
            made[name] = str(value)
            continue
        least = 0 if name in MAY_BE_NONE else 1
        if not re.fullmatch(r"\d+", str(value)) or int(str(value)) < least:
            raise _refuse(f"{name}={value}", f"a whole number, {least} or more", where=whole)
        made[OF_MANY.get(name, name)] = int(str(value))
    made["most"] = made.get("most", max(1, made.get("least", 0)))
    if made.get("least", 0) > made["most"]:
        raise _refuse(f"min={made['least']},max={made['most']}", "a min that is not above max", where=whole)
    return PilotShape(**made)


def _pairs(text: str, whole: str) -> dict[str, Any]:
    """`a=1,b=2`, or a mapping of the profile (`{a: 1, b: 2}`, which reaches us as Python shows it)."""
    if text.startswith("{"):
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError:
            found = None
        if not isinstance(found, dict) or not found:
            raise _refuse(whole, f"keys with values, as {FORM}")
        return {str(name): value for name, value in found.items() if value not in (None, "None")}
    found = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or not name or not value:
            raise _refuse(part or "nothing", f"keys with values, as {FORM}", where=whole)
        if name in found:
            raise _refuse(f"{name} twice", "each key once", where=whole)
        found[name] = value
    return found


def _named(shapes: list[PilotShape]) -> tuple[PilotShape, ...]:
    """Each with a name of its own: its partition's, with a number where several have the same."""
    plain = [shape.partition or "default" for shape in shapes]
    names, seen = [], dict.fromkeys(plain, 0)
    for name in plain:
        seen[name] += 1
        names.append(f"{name}-{seen[name]}" if plain.count(name) > 1 else name)
    return tuple(replace(shape, name=name) for shape, name in zip(shapes, names, strict=True))


def _refuse(found: object, expected: str, where: str | None = None) -> ConfigError:
    return ConfigError(
        "these pilots are not understood", where=f"{OPTION} {where}" if where else OPTION, found=found,
        expected=expected,
    )  # fmt: skip
