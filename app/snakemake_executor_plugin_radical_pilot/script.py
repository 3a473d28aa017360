"""The scripts of a job: what each rank runs, and what differs from job to job in its environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import deeprc.pilot
from deeprc.core.spent import SPENT
from deeprc.core.threads import variables as thread_variables
from deeprc.core.umask import own_umask
from deeprc.pilot.fitness import check
from deeprc.pilot.worker.surroundings import KEPT

BACK = '"${DEEPRC_BACK[@]}"'  # before a command on the host: gives it back what is a shell's own

RANKS = Path(deeprc.pilot.__file__).with_name("ranks")  # what Python reads first in each of several ranks


def job_environment(
    *, threads: int, tmpdir: str | None, ranks: int, run: Path, spent: Path, memory_mb: int = 0
) -> dict[str, str]:
    """The variables that differ from job to job; `memory_mb`: what each rank may use, 0 where nothing was asked for.

    In the file `spent` a job may say what it has spent its time on (`deeprc.core.spent`).
    """
    variables = thread_variables(threads)
    if tmpdir:
        variables |= dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), tmpdir)
    if memory_mb:
        variables["DEEPRC_MEM_MB"] = str(memory_mb)
    told = {"DEEPRC_RANKS": str(ranks), "DEEPRC_RUN": str(run), SPENT: str(spent), "DEEPRC_UMASK": own_umask()}
    return variables | told


def job_text(
    *, label: str, folder: Path, workdir: Path, command: str, ranks: int, repeats: int,
    variables: Mapping[str, str], rank: str = "0", setup: Sequence[str] = (), memory_mb: int = 0,
    needs: Sequence[str] = (),
) -> str:  # fmt: skip
    """The script that every rank of a job runs, outside of a container; `command`, shell words, may start one.

    `folder` receives `out.<rank>` and, from rank 0, `times` (a line with start and stop, seconds since the epoch, for
    each of `repeats` runs); of several ranks, `cpu.<rank>` (what the shell's `times` says). `rank` is the shell
    expression of a rank's number, `setup` are lines with the site's modules and variables, `needs` the files that its
    node must have (see `deeprc.pilot.fitness`). The user's variables are
    there already, but for those that are a shell's own: they have been put aside (see
    `deeprc.pilot.worker.surroundings`) and come back for the command. Hydra does not end a job when a rank that is no
    MPI program fails: such a rank ends its own process group with a signal, which Hydra takes as the
    end of the job. A rank that was asked to end does not: it would take the others the time to save.
    """
    exports = "\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in variables.items() if name.isidentifier()
    )
    lines = [
        "#!/usr/bin/env bash",
        "# " + label.replace("\n", " "),
        f"DEEPRC_HERE={shlex.quote(str(folder))}",
        f"export RP_RANK={rank}",
        'exec < /dev/null > "$DEEPRC_HERE/out.$RP_RANK" 2>&1',
        *setup,
        *([check(needs, '"$DEEPRC_HERE"', several=ranks > 1)] if needs else []),
        exports,
        *(f"umask {variables[name]}" for name in ("DEEPRC_UMASK",) if name in variables),
        "trap : USR1 USR2",  # a scheduler's, to all processes of a step: for the program, which this shell waits for
        "[[ -z ${DEEPRC_WARM_PATH-} ]] || PATH=$DEEPRC_WARM_PATH:$PATH",
        f"builtin cd {shlex.quote(str(workdir))} || exit 1",
        "DEEPRC_BACK=(/usr/bin/env -u OLDPWD -u PWD -u SHLVL -u _)",
        f"for DEEPRC_NAME in ${{!{KEPT}@}}; do",
        f'  DEEPRC_BACK+=("${{DEEPRC_NAME#{KEPT}}}=${{!DEEPRC_NAME}}")',
        '  unset -v "$DEEPRC_NAME"',
        "done",
        # The times are taken on the node, around the command alone; EPOCHREALTIME's comma or point follows LC_NUMERIC.
        f"for ((DEEPRC_I = 0; DEEPRC_I < {repeats}; DEEPRC_I++)); do",
        "  DEEPRC_START=${EPOCHREALTIME/,/.}",
        '  [[ $RP_RANK == 0 ]] && builtin echo "$DEEPRC_START" > "$DEEPRC_HERE/started"',
        f"  {command}",
        "  DEEPRC_CODE=$?",
        "  [[ $RP_RANK == 0 ]] &&",
        '    builtin echo "$DEEPRC_START ${EPOCHREALTIME/,/.}" >> "$DEEPRC_HERE/times"',
        # Of what a signal has ended one wants to know where: of this node's memory, say.
        '  DEEPRC_SAID=$DEEPRC_CODE; ((DEEPRC_CODE <= 128)) || DEEPRC_SAID+=" $HOSTNAME"',
        '  [[ $DEEPRC_CODE == 0 ]] || { builtin echo "$DEEPRC_SAID" > "$DEEPRC_HERE/code.$RP_RANK"; break; }',
        "done",
    ]
    if ranks > 1:
        lines.insert(
            lines.index(exports) + 1, f"export PYTHONPATH={shlex.quote(str(RANKS))}${{PYTHONPATH:+:$PYTHONPATH}}"
        )
        # A look at a file by each of very many ranks, every second, is work for a file system.
        pause = max(1, ranks // 256)
        watch = shlex.join(["/bin/bash", str(RANKS / "watch.sh")])
        watch += f' "$DEEPRC_HERE" "$RP_RANK" $$ {memory_mb * 10**6} {pause} &'
        loop = next(number for number, line in enumerate(lines) if line.startswith("for (("))
        lines[loop:loop] = ["DEEPRC_KILLS=$(grep -s '^oom_kill ' /proc/vmstat)", watch]
        lines += [
            'builtin times > "$DEEPRC_HERE/cpu.$RP_RANK"',
            "exec 2> /dev/null",  # what the shell says of programs that it kills is not the job's
            "builtin kill $!",
            'if [[ $DEEPRC_CODE == 137 && $(grep -s "^oom_kill " /proc/vmstat) != "$DEEPRC_KILLS" ]]; then',
            '  [[ -e $DEEPRC_HERE/memory.$RP_RANK ]] || builtin echo kernel > "$DEEPRC_HERE/memory.$RP_RANK"',
            "fi",
            "[[ ! -s $DEEPRC_HERE/end ]] || exit 0",
            # A launcher waits for all that the rank has left behind; these are children of this shell (`surroundings`).
            "for ((DEEPRC_I = 0; DEEPRC_I < 100; DEEPRC_I++)); do",
            "  DEEPRC_LEFT=()",
            "  read -r -a DEEPRC_LEFT < /proc/$$/task/$$/children",  # it ends without a newline: no code says anything
            "  ((${#DEEPRC_LEFT[@]})) || break",
            '  builtin kill -KILL "${DEEPRC_LEFT[@]}"',
            "  /bin/sleep 0.02",
            "done",
            "[[ $DEEPRC_CODE == 0 ]] || builtin kill -TERM 0",
        ]
    lines.append("exit $DEEPRC_CODE")
    return "\n".join(lines) + "\n"
