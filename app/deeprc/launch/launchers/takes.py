"""What a site's own options of a launcher may be: those that leave ranks, nodes and accelerators as planned.

An allow list: a launcher obeys the last option it is given, and an option that nobody examined could do anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from deeprc.core.errors import nearest
from deeprc.sites.setting import OF_RANKS, PLACED


def takes(*lines: str) -> dict[str, int]:
    """Options, each with the number of its values: `--quiet`, `--time=` (one), `--mca==` (two)."""
    return {word.rstrip("="): word.count("=") for line in lines for word in line.split()}


def stray(words: Sequence[str], allowed: Mapping[str, int], *, joins: bool = False, dashes: bool = False) -> str | None:
    """The first word that is neither an allowed option nor a value of one; None for none.

    Parameters
    ----------
    joins
        Whether `-t5` is `-t 5`.
    dashes
        Whether one dash and two mean the same.
    """
    left = iter(words)
    for word in left:
        name, equals, _ = word.partition("=")
        known = next((each for each in _spellings(name, dashes) if each in allowed), None)
        if known is not None:
            for _ in range(0 if equals else allowed[known]):
                next(left, None)
        elif not (joins and allowed.get(word[:2]) == 1 and len(word) > 2 and word[1] != "-"):
            return word
    return None


def _spellings(name: str, dashes: bool) -> list[str]:
    bare = name.lstrip("-")
    return [f"-{bare}", f"--{bare}"] if dashes and name.startswith("-") else [name]


def variables(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Variables set for all ranks alike: `-x A=1`, `-genv A 1`, `--export=ALL,A=1`, `--env=A=1`, `--mca a 1`."""
    for place, word in enumerate(words):
        name, equals, rest = word.partition("=")
        after = [*words[place + 1 : place + 3], "", ""]
        bare = name.lstrip("-")
        if bare in ("x", "export", "env", "E", "e") and name.startswith("-"):
            for part in (rest if equals else after[0]).split(","):
                if "=" in part:
                    yield part.partition("=")[0], word
        if bare in ("genv", "env"):
            yield after[0], word
        if bare in ("mca", "gmca", "omca", "prtemca"):
            yield f"OMPI_MCA_{after[0]}", f"{word} {after[0]}"


def shared(words: Sequence[str]) -> tuple[str, str] | None:
    """A variable that the words set for all ranks though each needs its own value, and the words; None for none."""
    return next((pair for pair in variables(words) if OF_RANKS.fullmatch(pair[0]) or PLACED.fullmatch(pair[0])), None)


def cure(word: str, allowed: Iterable[str]) -> str:
    """What to do about a word that is not allowed."""
    near = nearest(word.partition("=")[0], allowed) if word.startswith("-") else None
    meant = f"did you mean {near}? If not, " if near and near != word else ""
    return f"{meant}leave it out: nodes, ranks, cores and accelerators of each stand in every line"
