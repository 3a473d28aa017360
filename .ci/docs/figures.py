"""The measured numbers of README.md and docs/: each comes from a stored log, which a mark behind it names.

    **99.87 %** <!-- from figures/scale-1024-10k.json: utilisation_while_waiting * 100 -->

The mark is for as many numbers of its line, those right before it, as it has values, parted by semicolons. A value is a
path in the log (`runs[jobs=16000].total_s`, `queries[0].seconds`), or paths and numbers with `*`, `/` and `-` between
them. It is written with as many decimals as stood there. What is no measurement of ours (a setting, a target, what
others have published) says so, for all before it in its line: `<!-- given: a setting -->`. What a command prints has
above it `<!-- printed by python -m deeprc.bench.tables docs/figures/frames.json -->`.

`figures.py`: writes the pages anew from the logs (`make numbers`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"(?<![\w.,/:-])-?\d(?:[\d,]*\d)?(?:\.\d+)?(?![\d.])")
UNIT = re.compile(
    r"(?:-[\d,.]+)?(?:\*\*)?(?:\s?%| (?:ns|µs|ms|s|kB|MB|GB|MiB|GiB|TB|minutes|hours|seconds|times|per second)\b"
    r"| [a-z]+ (?:a|per) second\b)"
)
CELL = re.compile(r"\|\s*(?:\*\*)?$")  # before a number that begins the cell of a table
MARK = re.compile(r" ?<!-- (from (?P<file>\S+): (?P<values>[^>]*?)|given: [^>]+?) -->")
PRINTED = re.compile(
    r"^<!-- printed by python -m (?P<module>[\w.]+)(?: (?P<file>\S+))? -->\n\n(?P<block>.*?)(?=\n\n|\Z)", re.M | re.S
)
# What is no text of the page's own: code, targets of links, marks, what a command prints.
ASIDE = re.compile(r"^```.*?^```|`(?:[^`\n]|\n(?!\n))*`|\]\([^)]*\)|<!--.*?-->|^\[[^\]]*\]: \S+", re.M | re.S)


class NumberError(Exception):
    """A number that no log stands behind, or another one than the log says."""


@cache
def _log(file: str) -> Any:
    return json.loads((ROOT / "docs" / file).read_text(encoding="utf-8"))


def value(log: Any, path: str) -> Decimal:
    """What stands at a path; `[3]` is the fourth of a list, `[jobs=16000]` the one whose `jobs` is that."""
    for name, chosen in re.findall(r"([^.\[\]]+)|\[([^\]]+)\]", path.strip()):
        key, _, wanted = chosen.partition("=")
        if name:
            log = log[name]
        elif wanted:
            (log,) = (each for each in log if str(each[key]) == wanted)
        else:
            log = log[int(key)]
    return Decimal(str(log))


def result(file: str, text: str) -> Decimal:
    """The value of paths and numbers with `*`, `/` and `-`, one after the other from left to right."""
    words = re.split(r" ([*/-]) ", text)
    total = _value(file, words[0])
    for sign, word in zip(words[1::2], words[2::2], strict=True):
        number = _value(file, word)
        total = total * number if sign == "*" else total / number if sign == "/" else total - number
    return total


def _value(file: str, word: str) -> Decimal:
    if re.fullmatch(r"[\d.]+", word):
        return Decimal(word)
    try:
        return value(_log(file), word)
    except (LookupError, TypeError, ValueError, ArithmeticError, OSError) as error:
        raise NumberError(f"{file}: no number at {word}: {type(error).__name__}: {error}") from error


def _like(written: str, number: Decimal) -> str:
    places = Decimal(1).scaleb(-len(written.partition(".")[2]))
    return f"{number.quantize(places, ROUND_HALF_UP):,}"


def _own(text: str) -> str:
    """The page with what is not its own text blanked, place for place."""

    def blank(found: re.Match) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    return ASIDE.sub(blank, PRINTED.sub(blank, text))


def _parts(text: str) -> Iterator[tuple[int, int, re.Match | None]]:
    """What is before each mark in its line, from where to where, and the mark; the rest of the line without one."""
    start = 0
    for line in text.splitlines(keepends=True):
        begin, end = start, start + len(line)
        for mark in MARK.finditer(text, start, end):
            yield begin, mark.start(), mark
            begin = mark.end()
        yield begin, end, None
        start = end


def rewritten(text: str) -> str:
    """The page with every number that has a mark as its log says."""
    own, changes = _own(text), []
    for start, end, mark in _parts(text):
        if mark is None or not mark["file"]:
            continue
        values = [word.strip() for word in mark["values"].split(";")]
        numbers = list(NUMBER.finditer(own, start, end))[-len(values) :]
        if len(numbers) < len(values):
            raise NumberError(f"fewer numbers than values: {text[start : mark.end()]}")
        for number, value in zip(numbers, values, strict=True):
            changes.append((number.span(), _like(number[0], result(mark["file"], value))))
    for (start, end), new in reversed(changes):
        text = text[:start] + new + text[end:]
    return text


def unmarked(text: str) -> Iterator[str]:
    """Numbers with a unit, and decimals that begin a cell, that no mark is for; with the words around them."""
    own = _own(text)
    for start, end, mark in _parts(text):
        numbers = list(NUMBER.finditer(own, start, end))
        count = 0 if mark is None else len(mark["values"].split(";")) if mark["file"] else len(numbers)
        for number in numbers[: len(numbers) - count]:
            if UNIT.match(own, number.end()) or ("." in number[0] and CELL.search(own, start, number.start())):
                yield own[max(0, number.start() - 30) : number.end() + 20].strip()


def pages() -> list[Path]:
    """README.md and the pages of docs/, but for the one that benchmarks.py writes from the logs as a whole."""
    return [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem != "benchmarks")]


if __name__ == "__main__":
    for page in pages():
        page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
