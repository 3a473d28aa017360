"""RADICAL-Pilot's bridges and components as forks of one process that has imported it already.

RADICAL-Pilot starts three dozen of them one after the other, and each imports it anew: 0.5 s each, 13 of the 21 s that
a pilot took to start. A fork takes 0.02 s, and nobody waits for it: RADICAL-Pilot waits for their messages anyway.
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


class Forks:
    """The near side: starts that process when it is first needed, and lets it fork."""

    def __init__(self, callout):
        self._callout, self._server = callout, None

    def sh_callout(self, command, *arguments, **options):
        """As `radical.utils.sh_callout`, but for the programs of NAMES it returns at once."""
        name, *rest = command.split()
        program = shutil.which(name)
        if name not in NAMES or program is None:
            return self._callout(command, *arguments, **options)
        if self._server is None:
            self._server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE)
        wanted = {"argv": [program, *rest], "cwd": options.get("cwd") or ".", "environment": dict(os.environ)}
        self._server.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._server.stdin.flush()
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
