"""What rules are made of. Parameters are functions: in a text Snakemake would take what is in braces for wildcards."""

from __future__ import annotations

import shlex
from collections.abc import Callable


def fixed(value: object) -> Callable:
    """The parameter `value`: with another one, what was made is made anew."""
    return lambda wildcards: value


def untold(value: object) -> Callable:
    """The parameter `value`, which is no reason to make anything anew: Snakemake compares none that see the input."""
    return lambda wildcards, input: value


def warm(ranks: int, modules: str) -> str:
    """What is imported once per core, not once per job; several ranks start by themselves."""
    return modules if ranks == 1 else ""


def into(ranks: int, log: str) -> str:
    """Where a stage writes what it says; what several ranks say is joined by the executor."""
    return f"&> {shlex.quote(log)}" if ranks == 1 else ""
