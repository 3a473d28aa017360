"""What is a secret, by its name, and texts that show none: for all that is written down and told of a run."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

MASK = "***"
SHORT = 8  # characters; a shorter value would be found in every other text
_NAME = re.compile("SECRET|TOKEN|KEY|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL", re.I)
_LOGIN = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")  # user and password in an address
_ASSIGNED = re.compile(rf"([\w.-]*(?:{_NAME.pattern})[\w.-]*=)(?:'[^']*'|\"[^\"]*\"|[^\s,;&]+)", re.I)


def is_secret(name: str, value: str = "") -> bool:
    """Whether a variable, an option or a key of that name may hold a secret; an address with a password does.

    Some that hold none (KEYBOARD) count, too.
    """
    return bool(_NAME.search(name) or _LOGIN.search(value))


def masked(value: object) -> object:
    """A value of a configuration with the secrets in it masked, at whatever depth."""
    if isinstance(value, Mapping):
        return {
            key: MASK if is_secret(str(key)) and inner is not None else masked(inner) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return _LOGIN.sub(rf"\1:{MASK}@", value) if isinstance(value, str) else value


def secrets(value: object, name: str = "") -> Iterator[str]:
    """The secrets in a configuration or an environment: the values of all that `masked` masks."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from secrets(inner, name if _NAME.search(name) else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secrets(inner, name)
    elif value is not None and _NAME.search(name):
        yield str(value)
    elif login := _LOGIN.search(str(value)):
        yield login[2]


def masked_words(argv: Iterable[str]) -> list[str]:
    """A command line with its secrets masked: `NAME=VALUE`, `--NAME VALUE …`, `NAME={…}` with such a key, addresses."""
    found, of_secret = [], False
    for word in argv:
        name, is_pair, value = word.partition("=")
        if word.startswith("-"):
            of_secret = is_secret(name) and not is_pair
        elif of_secret:
            found.append(MASK)
            continue
        found.append(f"{name}={MASK}" if is_pair and is_secret(name) else _pair(word, name, value))
    return found


def given(argv: Sequence[str]) -> Iterator[str]:
    """What `masked_words` masks of a command line."""
    for word, shown in zip(argv, masked_words(argv), strict=True):
        if word != shown:
            yield word[common(word, shown) : len(word) - common(word[::-1], shown[::-1])]


def common(one: Sequence, other: Sequence) -> int:
    """How many elements, from the first on, are the same."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _pair(word: str, name: str, value: str) -> str:
    with contextlib.suppress(yaml.YAMLError):
        inner = yaml.load(value, Loader=yaml.BaseLoader)
        if isinstance(inner, dict | list) and masked(inner) != inner:
            return f"{name}={json.dumps(masked(inner))}"
    return _ASSIGNED.sub(rf"\1{MASK}", _LOGIN.sub(rf"\1:{MASK}@", word))


def _exists(path: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or no text
        return Path(path).exists()
    return False


@dataclass(frozen=True)
class Masker:
    """Masks secrets that are known wherever they stand in a text."""

    known: re.Pattern | None = None

    @classmethod
    def of(cls, *sources: object, argv: Sequence[str] = ()) -> Masker:
        """One for the secrets in environments and configurations, and in a command line; less the short ones, and the
        paths of what exists.
        """
        found = {*given(argv), *(each for source in sources for each in secrets(source))}
        found = sorted(each for each in found if len(each) >= SHORT and not _exists(each))
        longest_first = sorted(found, key=len, reverse=True)
        return cls(re.compile("|".join(map(re.escape, longest_first))) if found else None)

    def __call__(self, text: str) -> str:
        """The text without them."""
        return self.known.sub(MASK, text) if self.known else text
