"""Parameters of rules, as functions: in a text Snakemake would take what is in braces for wildcards."""

from __future__ import annotations

from collections.abc import Callable


def fixed(value: object) -> Callable:
    """The parameter `value`: with another one, what was made is made anew."""
    return lambda wildcards: value


def untold(value: object) -> Callable:
    """The parameter `value`, which is no reason to make anything anew: Snakemake compares none that see the input."""
    return lambda wildcards, input: value
