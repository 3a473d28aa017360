"""Texts that may leave this machine: without secrets, and with `~` for the home folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from deeprc.core.masking import Masker, masked, masked_words

Hide = Callable[[object], object]


def hiding(*sources: object, home: Path | None = None, environment: Mapping[str, str] | None = None) -> Hide:
    """A function that masks, at whatever depth of a value: secrets by their name, those of `sources` and of the
    environment wherever they stand, passwords of addresses, and the path of the home folder.
    """
    known = Masker.of(os.environ if environment is None else environment, *sources)
    home = home or Path.home()
    homes = sorted({str(home), str(home.resolve())} - {"/"}, key=len, reverse=True)
    path = re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, homes))})(?![\w.-])") if homes else None

    def text(value: str) -> str:
        shown = known(value)
        return path.sub("~", shown) if path else shown

    def deep(value: object) -> object:
        if isinstance(value, str):
            return text(value)
        if isinstance(value, Mapping):
            return {text(str(key)): deep(inner) for key, inner in value.items()}
        return [deep(inner) for inner in value] if isinstance(value, list | tuple) else value

    return lambda value: deep(masked(value))


def line(argv: list[str], hide: Hide) -> str:
    """A launch line as a text for people."""
    return " ".join(str(hide(word)) for word in masked_words(argv))
