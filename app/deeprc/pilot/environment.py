"""What the process that holds RADICAL-Pilot, and what tasks find in their environment; and the words of a refusal."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from deeprc.errors import ConfigError
from deeprc.pilot.address import LOOPBACK
from deeprc.pilot.batch import Allocation
from deeprc.pilot.processes import MARK
from deeprc.pilot.resource import HOOKS
from deeprc.sites import Site

# Set anew for each task by the launcher or the pilot: the client's own values must not hide them.
LAUNCHERS_OWN = re.compile(
    r"^(PMI|PMIX|OMPI|OPAL|HYDRA|HYDI|MPIR?|SLURM|SLINGSHOT|PALS|FLUX|ALPS|LSB|JSM|PBS|RP|RADICAL)_"
    r"|^(CUDA|ROCR|HIP)_VISIBLE_DEVICES$"
    r"|^(BASH_FUNC_.*|DEEPRC_WARM.*|DEEPRC_PILOT|DEEPRC_TOWARDS|HOSTNAME|PWD|OLDPWD|SHLVL|_)$"
)
OPTIONS, REFUSAL = "DEEPRC_SUBMIT", "DEEPRC_REFUSAL"  # see `hooks/deeprc_submit.py`


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
    """The part of the client's environment that RADICAL-Pilot can hand to its agent.

    It writes `export NAME="value"` into scripts, where a shell expands what looks like an expansion, and fails or even
    runs it: `make` exports `MAKEOVERRIDES=${-*-command-variables-*-}`. The jobs' scripts set the whole environment.
    """
    return {name: value for name, value in environment.items() if not {"$", "`"} & set(value)}


def environment_text(environment: Mapping[str, str]) -> str:
    """Shell lines that export `environment`, less what launchers set for each task."""
    kept = {name: value for name, value in environment.items() if not LAUNCHERS_OWN.match(name) and name.isidentifier()}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(kept.items()))
    return "unset PYTHONPATH DEEPRC_TOWARDS\n" + exports  # they change RADICAL-Pilot's Python, not the jobs'


def refusal(site: Site, words: str) -> str:
    """Why a batch system did not take the pilot's job, in one line."""
    lines = [" ".join(line.split()) for line in words.splitlines() if line.strip()]
    return f"{site.scheduler.name} refuses its job: {'; '.join(dict.fromkeys(lines))}"


def broker_environment(
    folder: Path, mark: str, *, towards: str = LOOPBACK, given: Allocation | None = None
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
        "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HOOKS), os.environ.get("PYTHONPATH")])),
        "DEEPRC_TOWARDS": towards,
        "RADICAL_BASE": str(folder),
        "RADICAL_CONFIG_USER_DIR": str(folder),
        "RADICAL_LOG_TGT": str(folder / "log" / "radical.log"),
        "RADICAL_LOG_LVL": "ERROR",
        "RADICAL_PROFILE": "FALSE",
        "RADICAL_REPORT": "FALSE",
        "PYTHONUNBUFFERED": "1",
        **(
            {**given.environment, OPTIONS: json.dumps(given.options), REFUSAL: str(folder / "refusal")} if given else {}
        ),
    }
