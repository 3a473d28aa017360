"""What is a secret, by its name, and texts that show none: for all that is written down and told of a run.

A secret is masked at its own place whatever it is, and in other texts where it is no word or path that others may mean.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote

import yaml

MASK = "***"
SHORT = 8  # characters; a shorter value would be found in every other text
_CAREFUL = re.compile("SECRET|TOKEN|KEY|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL", re.I)
_BETWEEN = re.compile(
    r"[\W_]+|(?<=[a-z])(?=[A-Z\d])|(?<=[A-Z])(?=[A-Z][a-z]|\d)|(?<=\d)(?=[A-Za-z])"
)  # words of a name
# Of names, their words in capitals between bars. What they say is a secret, and no other thing:
_OF = "(?:API|APP|AUTH|ACCESS|CLIENT|ENCRYPTION|PASS|PRIVATE|REFRESH|SECRET|SHARED|SIGNING|SSH)"
_PASSWORD = rf"\|(?:[A-Z]*(?:PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)|{_OF}?SECRET)"
_SURE = re.compile(rf"{_PASSWORD}S?\||\|(?:{_OF}?TOKEN|{_OF}\|?KEY)\|(?:\d+\|)*$")
_PATHS = re.compile(r"\|(?:FILE|PATH|DIR|FOLDER|DIRECTORY)\|$")
_NAME = re.compile(rf"{_PASSWORD}S?\||\|{_OF}?(?:TOKEN|KEY)S?\|")
_NUMBERS = re.compile(rf"{_PASSWORD}\||\|{_OF}?(?:TOKEN|KEY)\|(?:\d+\|)*$")  # of secrets, and no count or size
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?|true|false", re.I)
_LOGIN = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")  # user and password in an address
_ASSIGNED = re.compile(r"([\w.-]+)=('[^']*'|\"[^\"]*\"|[^\s,;&]+)")
_WORD = r"(?:(?=\w{1,24}(?![^\W_]))(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+)\d{0,4}|\d{1,8}|[A-Za-z\d]{1,3})"
_WORDS = re.compile(rf"[^\w\s]*{_WORD}(?:[-_./:,=~{{}}* ]+{_WORD})*[^\w\s]*", re.ASCII)
_FORMS: tuple[Callable[[str], str], ...] = (
    lambda text: text.replace("'", "'\"'\"'"),  # as Python's shlex quotes, and Snakemake's `:q`
    lambda text: text.replace("'", r"'\''"),  # as shells do
    lambda text: re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", text),  # `printf %q`
    lambda text: re.sub(r'[\\"$`]', r"\\\g<0>", text),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: quote(text, errors="surrogateescape"),
    lambda text: quote(text, safe="", errors="surrogateescape"),
    lambda text: quote_plus(text, errors="surrogateescape"),
)


class Secret(NamedTuple):
    """A value, the name that makes it a secret (none: it is the password of an address), and where it was given."""

    where: str
    name: str
    value: str

    @property
    def is_plain(self) -> bool:
        """Whether it may be something else: the path of what exists, or words, where the name may be that of a column
        (`primary_key`) or of a file.
        """
        of_letters = re.sub(r"(?![\x00-\x7f])\w", "a", self.value)  # whatever the script
        may_be = self.name and _sureness(self.name) < 2 and _WORDS.fullmatch(of_letters)
        return bool(may_be) or _exists(self.value)

    @property
    def is_telling(self) -> bool:
        """Whether it is masked wherever it stands: it is no other thing, and no other text holds it by chance."""
        return len(self.value) >= SHORT and not self.is_plain


def may_be_secret(name: str, value: str = "") -> bool:
    """Whether a variable may hold a secret, by any part of its name or by an address with a password; many that hold
    none (`KEYBOARD`) count, too.
    """
    return bool(_CAREFUL.search(name) or _LOGIN.search(value))


def is_secret(name: str, value: object = "") -> bool:
    """Whether a variable, an option or a key of that name holds a secret, by the words of the name (`apiKey`, not
    `keyword`); numbers only where the name is no count's or size's (`max_tokens`, `key_length`).
    """
    words = _bars(name)
    if not _NAME.search(words) or value is None or isinstance(value, bool):
        return False
    return not _NUMBER.fullmatch(str(value)) or bool(_NUMBERS.search(words))


def masked(value: object) -> object:
    """A value of a configuration with the secrets in it masked, at whatever depth."""
    if isinstance(value, Mapping):
        return {
            key: (MASK if any(secrets(inner, str(key))) else inner) if is_secret(str(key), inner) else masked(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return _LOGIN.sub(rf"\1:{MASK}@", value) if isinstance(value, str) else value


def secrets(value: object, name: str = "", where: str = "") -> Iterator[Secret]:
    """The secrets in a configuration or an environment: all that `masked` masks."""
    where = where or name
    if isinstance(value, Mapping):
        for key, inner in value.items():
            own = f"{where}.{key}" if where else str(key)
            yield from secrets(inner, max(str(key), name, key=_sureness), own)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secrets(inner, name, where)
    elif is_secret(name, value):
        yield Secret(where, name, str(value))
    else:
        for _, password in _LOGIN.findall(str(value)):
            yield from (Secret(where, "", each) for each in dict.fromkeys((password, unquote(password))))


def masked_words(argv: Iterable[str]) -> list[str]:
    """A command line with its secrets masked: `NAME=VALUE`, `--NAME VALUE …`, `NAME={…}` with such a key, addresses."""
    return [shown for shown, _ in _looked_at(argv)]


def given(argv: Iterable[str]) -> Iterator[Secret]:
    """What `masked_words` masks of a command line."""
    return itertools.chain.from_iterable(found for _, found in _looked_at(argv))


def common(one: Sequence, other: Sequence) -> int:
    """How many elements, from the first on, are the same."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _looked_at(argv: Iterable[str]) -> Iterator[tuple[str, list[Secret]]]:
    option = ""
    for word in argv:
        name, is_pair, value = word.partition("=")
        if word.startswith("-"):
            option = "" if is_pair else name
        elif is_secret(option, word):
            yield MASK, [Secret(option, option, word)]
            continue
        if is_pair and is_secret(name, value):
            yield f"{name}={MASK}", [Secret(name, name, value)]
        else:
            where = name if re.fullmatch(r"[\w.-]+", name) else option or "an address"
            yield _pair(word, name, value, where)


def _pair(word: str, name: str, value: str, where: str) -> tuple[str, list[Secret]]:
    with contextlib.suppress(yaml.YAMLError, RecursionError):
        inner = yaml.load(value, Loader=yaml.BaseLoader)
        if isinstance(inner, dict | list) and (shown := masked(inner)) != inner:
            return f"{name}={json.dumps(shown)}", list(secrets(inner, where=where))
    found = list(secrets(word, where=where))

    def look(pair: re.Match) -> str:
        if not is_secret(pair[1], pair[2]):
            return pair[0]
        found.append(Secret(pair[1], pair[1], pair[2].strip("'\"")))
        return f"{pair[1]}={MASK}"

    return _ASSIGNED.sub(look, _LOGIN.sub(rf"\1:{MASK}@", word)), found


def _bars(name: str) -> str:
    return f"|{'|'.join(_BETWEEN.split(name))}|".replace("||", "|").upper()


def _sureness(name: str) -> int:
    """0 for a name that is not a secret's, 1 for one that may be something else's, too, 2 for a secret's."""
    words = _bars(name)
    return bool(_NAME.search(words)) + bool(_SURE.search(words) and not _PATHS.search(words))


def _exists(path: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or no text
        return Path(path).exists()
    return False


def _forms(secret: Secret) -> Iterator[str]:
    """How a value stands in texts: as it is, as quoted once or twice over, and its lines."""
    lines = (secret._replace(value=line.strip()) for line in secret.value.splitlines())
    for each in filter(lambda part: part.is_telling, (secret, *lines)):
        once = {each.value, *(form(each.value) for form in _FORMS)}
        yield from once.union(form(text) for text in once for form in _FORMS)


@dataclass(frozen=True)
class Masker:
    """Masks secrets that are known wherever they stand in a text; `names` has where each of their forms was given."""

    known: re.Pattern | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, *sources: object, argv: Sequence[str] = ()) -> Masker:
        """One for the secrets in environments and configurations, and in a command line, as far as they are telling."""
        names: dict[str, dict[str, None]] = {}
        for secret in itertools.chain(*map(secrets, sources), given(argv)):
            for text in _forms(secret):
                names.setdefault(text, {})[secret.where] = None
        longest_first = sorted(sorted(names), key=len, reverse=True)
        found = {text: list(where) for text, where in names.items()}
        return cls(re.compile("|".join(map(re.escape, longest_first))) if names else None, found)

    def __call__(self, text: str) -> str:
        """The text without them."""
        return self.known.sub(MASK, text) if self.known else text

    def found(self, text: str) -> list[str]:
        """The keys, variables and options whose secrets the text holds."""
        held = self.known.findall(text) if self.known else []
        return list(dict.fromkeys(name for each in held for name in self.names[each]))
