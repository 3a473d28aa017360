"""On one rank: what the node has, since the doctor's own shell may be on a login node (as salloc leaves it)."""

from __future__ import annotations

import signal
import sys

from deeprc.doctor.probe.say import say
from deeprc.sites.detect.machine import find_out


def main(patience: int) -> None:
    """Look, and print."""
    signal.alarm(patience)
    say(kind="node", **find_out().record())


if __name__ == "__main__":
    main(int(sys.argv[1]))
