"""RADICAL-Pilot's bridges and components as forks of one process that has imported it already.

RADICAL-Pilot starts three dozen of them one after the other, and each imports it anew: 0.5 s each, 13 of the 21 s that
a pilot took to start. A fork takes 0.02 s, and nobody waits for it: RADICAL-Pilot waits for their messages anyway.
That process imports while the one that wants forks of it, the broker or the agent, still imports itself (`begin`).
"""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys

NAMES = ("radical-pilot-bridge", "radical-pilot-component")
MODULES = ("radical.pilot", "radical.pilot.agent", "radical.pilot.pmgr", "radical.pilot.tmgr", "setproctitle", "psij")

_server = None  # this process's


def begin():
    """Start the process to fork, where it is not there yet; return it."""
    global _server
    if _server is None:
        _server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE)
    return _server


class Forks:
    """The near side: has that process fork."""

    def __init__(self, callout):
        self._callout = callout

    def sh_callout(self, command, *arguments, **options):
        """As `radical.utils.sh_callout`, but for the programs of NAMES it returns at once."""
        name, *rest = command.split()
        program = shutil.which(name)
        if name not in NAMES or program is None:
            return self._callout(command, *arguments, **options)
        server = begin()
        wanted = {"argv": [program, *rest], "cwd": options.get("cwd") or ".", "environment": dict(os.environ)}
        server.stdin.write(json.dumps(wanted).encode() + b"\n")
        server.stdin.flush()
        return "", "", 0


def become(wanted):
    """Be the program; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(wanted["cwd"])
        os.environ.clear()
        os.environ.update(wanted["environment"])
        sys.argv = wanted["argv"]
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException as error:
        print(f"{wanted['argv']}: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code if isinstance(code, int) else 1)


def main():
    """Import, and fork for each line of the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    for module in MODULES:
        __import__(module)
    for line in sys.stdin.buffer:
        if os.fork() == 0:
            become(json.loads(line))


if __name__ == "__main__":
    main()
