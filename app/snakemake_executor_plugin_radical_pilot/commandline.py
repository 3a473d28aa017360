"""What is wrong with Snakemake's command line and its configuration files, told before Snakemake trips over it.

Snakemake itself ends in a traceback, or in a sentence without file and line, and keeps only the last of two options
`--config`. It makes an executor's settings before it reads any configuration: that is the moment. Of other executors
it makes other settings, but it has imported this one, too: then only what ends the run in any case is told.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.core.masking import common, masked_words
from deeprc.core.validation import read_mapping
from snakemake_executor_plugin_radical_pilot.internals import load_configfile

ONCE = {"configfile": "file", "config": "key=value"}


def hide() -> None:
    """Overwrite the secrets in this process's command line, which every user of the machine can read."""
    # Where the kernel looks for it, by proc(5); Python has copies of its own.
    start, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
    words = ctypes.string_at(start, end - start).split(b"\0")[:-1]
    for word, masked in zip(words, map(os.fsencode, masked_words(map(os.fsdecode, words))), strict=True):
        if masked != word:
            same = common(word, masked)
            ctypes.memset(start + same, ord("*"), len(word) - same)
        start += len(word) + 1


def check(argv: list[str]) -> None:
    """Raise a ConfigError for configuration files that cannot be read as such, and for what `--config` cannot mean.

    `argv` is the whole command line; another program's than Snakemake's is not looked at.
    """
    given = _given(argv)
    for option, what in ONCE.items():
        if len(found := getattr(given, option)) > 1:
            together = " ".join(masked_words(word for words in found for word in words))
            raise ConfigError(
                f"--{option} is given {len(found)} times, and Snakemake would keep only the last",
                fix=f"give every {what} after one: --{option} {together}",
            )
    for file in (file for files in given.configfile for file in files):
        read_mapping(file)
    for word in (word for words in given.config for word in words):
        if not re.match(r"[a-zA-Z_][\w-]*\w=", word):
            raise ConfigError(
                "not a key with a value",
                where="--config",
                found=word,
                expected="key=value (a key of two signs or more), in quotes where it has spaces:"
                " 'forecasting={horizon: 12}'",
            )


def check_files(argv: list[str]) -> None:
    """Raise a ConfigError, with file and line, for a configuration file that Snakemake would refuse; for no other."""
    for file in (file for files in _given(argv).configfile for file in files):
        try:
            load_configfile(file)
        except Exception:
            read_mapping(file)


def _given(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--configfile", "--configfiles", nargs="*", action="append", default=[])
    parser.add_argument("--config", "-C", nargs="*", action="append", default=[])
    program = Path(argv[0])
    snakemakes = "snakemake" in (program.name, program.parent.name)
    try:
        return parser.parse_known_args(argv[1:] if snakemakes else [])[0]
    except argparse.ArgumentError:  # Snakemake's own parser knows better
        return parser.parse_args([])
