"""Runs a command without a terminal, and writes down how it ended: `python -P -m deeprc.pilot.keeper FOLDER`.

It is what a detached run leaves behind: a process of this machine, or the first one of a batch system's job. FOLDER has
`run.json`, `environment` (as the kernel has it), `log`, who keeps it (`holder.json`), what it runs (`program.json`); in
the end `exit`. Where the batch system starts the job anew (a node has failed under it, another job came first, its time
was over), it goes on with what is there.

Signals: SIGINT is from whoever cancels the run. SIGUSR1 says that the job's time is almost over. SIGTERM in a job is
the batch system's own, which knows what becomes of it: then nothing is written down.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from deeprc import schedulers
from deeprc.core.files import write_json, write_text
from deeprc.core.holder import Holder
from deeprc.pilot.at_hand import ANEW
from deeprc.pilot.worker import surroundings

WAITS = 60.0  # seconds that the process which has detached may take to end
RUN = "DEEPRC_DETACHED"  # the variable with the run's name, for the Snakemake in it, and for none in its jobs
OVER = "over"  # the file by which the Snakemake says that nothing more fits into the job's time
NOT_OURS = ("SLURM_EXPORT_ENV",)  # what a job's script was submitted with


def environment(folder: Path, facts: dict) -> dict[bytes, bytes]:
    """The user's, with what a batch system tells its job in place of what was told where the run began."""
    saved = surroundings.read(str(folder / "environment"))
    batch = schedulers.scheduler(facts["scheduler"]) if facts["scheduler"] else None
    if batch:
        stay = {name.encode() for name in batch.clients}
        saved = {
            name: value
            for name, value in saved.items()
            if name in stay or not (surroundings.LAUNCHERS.match(name) or name == b"HOSTNAME")
        }
        saved.pop(ANEW.encode(), None)  # it was for the job that the run was begun in; its own is its nodes
        if not saved.get(b"DEEPRC_ADDRESS", b"127.").startswith(b"127."):
            del saved[b"DEEPRC_ADDRESS"]  # it was another machine's
        own = {name: value for name, value in os.environb.items() if surroundings.LAUNCHERS.match(name)}
        saved |= {name: value for name, value in own.items() if name.decode() not in NOT_OURS}
        saved[b"DEEPRC_SITE"] = facts["site"].encode()  # it was looked at where the run began
    return saved | {RUN.encode(): folder.name.encode()}


def goes_on(heard: list[int], starts: int, pilots: int, *, said: bool = False) -> bool:
    """Whether a run that was ended begins anew: its time was over, as the signal or the run itself has said, nobody has
    cancelled it, and it may.
    """
    return (said or signal.SIGUSR1 in heard) and signal.SIGINT not in heard and starts < pilots


def main() -> int:
    """Run it; the exit code is the command's."""
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "run.json").read_text())
    heard: list[int] = []
    child: list[subprocess.Popen] = []

    def hear(number: int, frame: object) -> None:
        heard.append(number)
        for process in child:
            process.send_signal(signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, hear)
    again = (folder / "holder.json").exists()
    write_json(folder / "holder.json", asdict(Holder.me()))
    (over := folder / OVER).unlink(missing_ok=True)  # it was said of the time before
    deadline = time.monotonic() + WAITS
    while (folder / "waiting").exists() and time.monotonic() < deadline and not heard:
        time.sleep(0.1)
    with (folder / "log").open("ab") as log:
        given = {"cwd": facts["cwd"], "env": environment(folder, facts), "stdin": subprocess.DEVNULL}
        program, words = facts["command"][: facts["program"]], facts["command"][facts["program"] :]
        if again:
            log.write(b"deeprc: the run begins again, with what is done\n")
            log.flush()
            subprocess.run(
                [*program, "--unlock", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **given
            )
            words = ["--rerun-incomplete", *words]
        # Kept back until there is somebody to pass it on to, who takes it once he can end in a sentence, not before
        # (`interrupting.let_in` of the executor): Python's start and Snakemake's imports would show a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        if heard:
            log.write(b"deeprc: the run was cancelled before it began\n")
        else:
            child.append(subprocess.Popen([*program, *words], stdout=log, stderr=log, **given))
            with contextlib.suppress(OSError):  # a full disk; it is for when we are killed, and the run goes on
                write_json(folder / "program.json", asdict(Holder.of(child[0].pid)))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        code = child[0].wait() if child else 130
        code = 130 if signal.SIGINT in heard and code else code  # it may have been done by then
    if (heard or over.exists()) and facts["scheduler"]:
        batch, starts = schedulers.scheduler(facts["scheduler"]), int((folder / "starts").read_text() or 1)
        if signal.SIGTERM in heard:
            return code
        if code and goes_on(heard, starts, facts["pilots"], said=over.exists()):
            write_text(folder / "starts", str(starts + 1))
            if batch.begin_anew():
                return code
    write_text(folder / "exit", f"{code if code >= 0 else 128 - code}\n")
    (folder / "environment").unlink(missing_ok=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
