"""The scripts of a job: what each rank runs, and what differs from job to job in its environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import deeprc.pilot

RANKS = Path(deeprc.pilot.__file__).with_name("ranks")  # what Python reads first in each of several ranks
THREADS = ("OMP_NUM", "GOTO_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM")


def job_environment(*, threads: int, tmpdir: str | None, ranks: int, run: Path) -> dict[str, str]:
    """The variables that differ from job to job."""
    variables = {f"{library}_THREADS": str(threads) for library in THREADS}
    if tmpdir:
        variables |= dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), tmpdir)
    return variables | {"DEEPRC_RANKS": str(ranks), "DEEPRC_RUN": str(run)}


def job_text(
    *, label: str, folder: Path, workdir: Path, command: str, ranks: int, repeats: int, environment: Path,
    variables: Mapping[str, str], rank: str = "0", setup: Sequence[str] = (), memory_mb: int = 0,
) -> str:  # fmt: skip
    """The script that every rank of a job runs, outside of a container; `command`, shell words, may start one.

    `folder` holds the job's `command.sh` and receives `out.<rank>` and, from rank 0, `times` (a line with start and
    stop, seconds since the epoch, for each of `repeats` runs). `rank` is the shell expression of a rank's number,
    `setup` are lines with the site's modules and variables. Hydra does not end a job when a rank that is no MPI program
    fails: such a rank ends its own process group with a signal, which Hydra takes as the end of the job. A rank that
    was asked to end does not: it would take the others the time to save.
    """
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    lines = [
        "#!/usr/bin/env bash",
        "# " + label.replace("\n", " "),
        f"here={shlex.quote(str(folder))}",
        f"export RP_RANK={rank}",
        "rank=$RP_RANK",
        'exec < /dev/null > "$here/out.$rank" 2>&1',
        f". {shlex.quote(str(environment))}",
        *setup,
        exports,
        "[[ -z ${DEEPRC_WARM_PATH-} ]] || PATH=$DEEPRC_WARM_PATH:$PATH",
        f"cd {shlex.quote(str(workdir))} || exit 1",
        # The times are taken on the node, around the command alone; EPOCHREALTIME's comma or point follows LC_NUMERIC.
        f"for ((i = 0; i < {repeats}; i++)); do",
        "  start=${EPOCHREALTIME/,/.}",
        '  [[ $rank == 0 ]] && echo "$start" > "$here/started"',
        f"  {command}",
        "  code=$?",
        '  [[ $rank == 0 ]] && echo "$start ${EPOCHREALTIME/,/.}" >> "$here/times"',
        '  [[ $code == 0 ]] || { echo "$code" > "$here/code.$rank"; break; }',
        "done",
    ]
    if ranks > 1:
        lines.insert(
            lines.index(exports) + 1, f"export PYTHONPATH={shlex.quote(str(RANKS))}${{PYTHONPATH:+:$PYTHONPATH}}"
        )
        # A look at a file by each of very many ranks, every second, is work for a file system.
        pause = max(1, ranks // 256)
        watch = f'/bin/bash {shlex.quote(str(RANKS / "watch.sh"))} "$here" "$rank" $$ {memory_mb * 10**6} {pause} &'
        loop = next(number for number, line in enumerate(lines) if line.startswith("for (("))
        lines[loop:loop] = ["kills=$(grep -s '^oom_kill ' /proc/vmstat)", watch]
        lines += [
            "kill $! 2> /dev/null",
            'if [[ $code == 137 && $(grep -s "^oom_kill " /proc/vmstat) != "$kills" ]]; then',
            '  [[ -e $here/memory.$rank ]] || echo kernel > "$here/memory.$rank"',
            "fi",
            "[[ ! -s $here/end ]] || exit 0",
            "[[ $code == 0 ]] || kill -TERM 0",
        ]
    lines.append("exit $code")
    return "\n".join(lines) + "\n"
