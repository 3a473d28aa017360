"""What the process that holds RADICAL-Pilot, and what tasks find in their environment; and the words of a refusal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.core.masking import may_be_secret
from deeprc.pilot import curve
from deeprc.pilot.address import LOOPBACK
from deeprc.pilot.batch import Submission
from deeprc.pilot.processes import MARK
from deeprc.pilot.resource import PATCHES
from deeprc.pilot.worker import surroundings
from deeprc.sites import Site

# What RADICAL-Pilot's start-up scripts can be handed: they write `export NAME="value"`, where a shell expands, and have
# variables of their own, in small letters; Python's and the shells' own settings would change how they run.
PLAIN = re.compile(r"(?!PYTHON)[A-Z_][A-Z0-9_]*|[a-z]+_proxy", re.ASCII)
PRINTABLE = re.compile(r'[^\x00-\x1f"$`\\\ud800-\udfff]{0,65536}')
OPTIONS, REFUSAL = "DEEPRC_SUBMIT", "DEEPRC_REFUSAL"  # see `patches/deeprc_submit.py`


def check_path(path: Path, *, what: str, fix: str) -> None:
    """Raise a ConfigError where RADICAL-Pilot could not work with a path.

    It writes paths into shell scripts without quotes, and formats with `%`; an environment's also stands in lists with
    colons. Letters and digits of any script, and what is tried beside, are fine.
    """
    if odd := sorted(set(re.findall(r"[^\w@+=./-]", str(path)))):
        signs = " ".join({" ": "a space", "\n": "a newline", "\t": "a tab"}.get(sign, sign) for sign in odd)
        raise ConfigError(
            f"{what} has signs in its path that RADICAL-Pilot's scripts cannot take", where=path, found=signs, fix=fix
        )


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the client's environment that RADICAL-Pilot is handed, for its agent; the jobs have the whole of it.

    A shell would fail at some of the rest, or even run it: `make` exports `MAKEOVERRIDES=${-*-command-variables-*-}`.
    """
    return {
        name: value
        for name, value in environment.items()
        if PLAIN.fullmatch(name) and PRINTABLE.fullmatch(value) and name not in surroundings.SHELLS
        if not may_be_secret(name, value)  # it writes the environment into files, time and again
    }


def users(environment: Mapping[bytes, bytes], *, elsewhere: bool) -> bytes:
    """The environment for jobs, as their processes read it (see `surroundings`).

    `elsewhere`: they run on other machines, where only what a launcher tells them is theirs.
    """
    kept = environment
    if elsewhere:
        kept = {n: v for n, v in environment.items() if not surroundings.LAUNCHERS.match(n) and n != b"HOSTNAME"}
    return surroundings.dump(kept)


def refusal(site: Site, words: str) -> str:
    """Why a batch system did not take the pilot's job, in one line."""
    lines = [" ".join(line.split()) for line in words.splitlines() if line.strip()]
    return f"{site.scheduler.name} refuses its job: {'; '.join(dict.fromkeys(lines))}"


def broker_environment(
    folder: Path, mark: str, *, towards: str = LOOPBACK, given: Submission | None = None
) -> dict[str, str]:
    """What the broker, and so the agent and its tasks on this machine, find in their environment beside the client's.

    It listens at the address `towards` only; `given` is what a batch system is to be asked for.

    HOME and TMPDIR are private folders, since RADICAL-Pilot and PSI/J write there; a task that is to see the user's own
    must set them back.
    """
    return {
        MARK: mark,
        "PWD": str(folder),  # RADICAL-Pilot asks $PWD where to put its session folder, not the system
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "VIRTUAL_ENV": sys.prefix,
        "PATH": os.pathsep.join(
            [f"{sys.prefix}/bin", *filter(PRINTABLE.fullmatch, os.environ["PATH"].split(os.pathsep))]
        ),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PATCHES), os.environ.get("PYTHONPATH")])),
        "PYTHONUTF8": "1",
        "DEEPRC_TOWARDS": towards,
        curve.VARIABLE: str(folder / curve.NAME),
        "RADICAL_BASE": str(folder),
        "RADICAL_CONFIG_USER_DIR": str(folder),
        "RADICAL_LOG_TGT": str(folder / "log" / "radical.log"),
        "RADICAL_LOG_LVL": "ERROR",
        "RADICAL_PROFILE": "FALSE",
        "RADICAL_REPORT": "FALSE",
        "PYTHONUNBUFFERED": "1",
        **(
            {
                **given.environment,
                OPTIONS: json.dumps({"scheduler": given.scheduler, "options": given.options}),
                REFUSAL: str(folder / "refusal"),
            }
            if given
            else {}
        ),
    }
