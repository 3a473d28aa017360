"""What options of an allocation ask for, as a batch system's class reads them.

Options that cannot be read (a number from a variable, a batch system's other words) are not compared with anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A number that an option asks for, the option as it stands, and what to write for it instead."""

    count: int
    option: str
    instead: str


def pairs(options: Iterable[str]) -> list[tuple[str, str]]:
    """Options with their values: `--gres=gpu:1`, `-l select=2`, `-lselect=2`, `-N 2`; the value is empty for none."""
    words = [word for option in options for word in shlex.split(option)]
    found = []
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            found.append((name, value if equals else "" if after.startswith("-") else after))
        elif re.match(r"-[a-zA-Z]", word):
            glued = word[2:] if len(word) > 2 and (word[2].isdigit() or word[:2] == "-l") else None
            found.append((word[:2], glued) if glued else (word, "" if after.startswith("--") else after))
    return found


def spelt(name: str, value: str) -> str:
    """An option with its value, as a person writes it."""
    return f"{name}={value}" if name.startswith("--") else f"{name} {value}"
