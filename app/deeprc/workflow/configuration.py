"""The configuration as Snakemake merged it; errors say which file and line, or which option, a key is from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deeprc.applications.config import Config, load_config
from deeprc.core.validation import lines, read_yaml


def read_config(values: dict, *, files: Iterable[str | Path], given: Mapping[str, Any]) -> Config:
    """The configuration in `values`.

    Parameters
    ----------
    values
        Snakemake's merged `config`.
    files
        The configuration files that it came from, later ones above earlier ones. Each is read once more, since
        Snakemake keeps the last of two equal keys and says nothing.
    given
        What `--config` gave, above all files.

    Raises
    ------
    ConfigError
        For the first thing that is wrong.
    """
    files = list(dict.fromkeys(map(Path, files)))
    for file in files:
        read_yaml(file)

    def place(keys: tuple) -> str:
        if _gave(given, keys):
            return "--config"
        for depth in range(len(keys), 0, -1):
            inner: object = given
            for key in keys[:depth]:
                inner = inner.get(key, ...) if isinstance(inner, Mapping) else ...
            if inner is not ...:
                return "--config"
            for file in reversed(files):
                if line := lines(file).get(tuple(map(str, keys[:depth]))):
                    return f"{file}:{line}"
        return "configuration"

    return load_config(values, where=place)


def _gave(given: object, keys: tuple) -> bool:
    """Whether the value at `keys` is from `given`: a value there that is not a mapping stands for all below it."""
    for key in keys:
        if not isinstance(given, Mapping):
            return True
        if key not in given:
            return False
        given = given[key]
    return True
