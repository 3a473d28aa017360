"""Nodes that lack what jobs need before their own program begins: the environment of Deep RC, or the image.

A rank whose node has no image, or no Python to start from, writes that down (`check`); of a worker it is told by where
it starts and where it does not.
"""

from __future__ import annotations

import shlex
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from deeprc.images.leftovers import SIF, SQUASHFS
from deeprc.launch import Plan
from deeprc.launch.text import shell_word

UNFIT = "unfit"  # the file in a job's folder, with the rank after a point: what its node lacks
CODE = 78  # EX_CONFIG: the exit code of such a rank
TRIES = 2  # starts of one kind that may fail in a row


class NodeFitness:
    """What is known of a pilot's nodes from the starts of workers.

    A start that fails closes the node, where nothing has ever started there and there are others. Where it starts
    nowhere, the nodes are not at fault. Once the same has started elsewhere, the node is tried once more, since one
    failure may be chance (no memory left, a disk that was slow); it is at fault, and closed for good, after the second.

    Parameters
    ----------
    count
        How many nodes there are.
    close, open
        Have a node get nothing more, or something again.
    tell
        Takes the number of a node that is at fault, and why.
    """

    def __init__(
        self, count: int, close: Callable[[int], None], open: Callable[[int], None], tell: Callable[[int, str], None]
    ) -> None:
        self._count, self._close, self._open, self._tell = count, close, open, tell
        self._good: set[int] = set()  # nodes where something has started
        self._came: dict[Hashable, set[int]] = defaultdict(set)
        self._failed: dict[Hashable, set[int]] = defaultdict(set)  # nodes that are closed
        self._tries: dict[Hashable, int] = defaultdict(int)
        self._again: dict[int, float] = {}  # nodes that are tried once more, and since when
        self.unfit: set[int] = set()

    def failed(self, kind: Hashable, node: int, why: str, began: float) -> bool:
        """A start of that kind, begun then, has failed there; whether its jobs have, too, since it starts nowhere."""
        if self._tries[kind] >= TRIES:  # one of those that were started together
            return True
        if node in self.unfit or node in self._failed[kind]:
            return False
        if node in self._good or self._count - len(self.unfit) == 1:
            self._tries[kind] += 1
            return self._tries[kind] >= TRIES
        if self._came[kind]:
            if began > self._again.setdefault(node, time.monotonic()):  # else it was started together with the first
                self.shut(node, f"starts no worker ({why})")
            return False
        self._failed[kind].add(node)
        self._close(node)
        if len(self._failed[kind]) < min(TRIES, self._count - len(self.unfit)):
            return False
        for other in self._failed.pop(kind):
            self._open(other)
        self._tries[kind] = TRIES
        return True

    def came(self, kind: Hashable, node: int) -> None:
        """One of that kind has started there."""
        self._good.add(node)
        self._came[kind].add(node)
        self._tries[kind] = 0
        self._again.pop(node, None)
        for other in self._failed.pop(kind, ()):
            self._again.setdefault(other, time.monotonic())
            self._open(other)

    def shut(self, node: int, why: str) -> None:
        """Have a node get nothing more."""
        if node not in self.unfit:
            self._close(node)
            self.unfit.add(node)
            self._tell(node, why)


def check(files: Sequence[str], folder: str, *, rank: str = "$RP_RANK", several: bool = False) -> str:
    """A line of shell that ends a rank whose node lacks one of these files, once it has written that down.

    Parameters
    ----------
    files
        Paths that may name variables (`$SCRATCH`).
    folder, rank
        Words of shell: the job's folder, and the rank's number.
    several
        Whether there are other ranks, which are to end as well.
    """
    words = " ".join(shell_word(name) for name in files)
    end = "builtin kill -TERM 0; " if several else ""
    told = 'builtin echo "deeprc: ${SLURMD_NODENAME:-$HOSTNAME} has no $DEEPRC_FILE"; '
    told += f'builtin echo "$DEEPRC_FILE" > {folder}/{UNFIT}.{rank}; builtin echo {CODE} > {folder}/code.{rank}'
    return f"for DEEPRC_FILE in {words}; do [[ -e $DEEPRC_FILE ]] || {{ {told}; {end}exit {CODE}; }}; done"


def images(plan: Plan) -> list[str]:
    """The files of a plan's image, of which a node may be without: none where its runtime takes images by name."""
    return [word for word in plan.runtime if word.endswith((SIF, SQUASHFS)) and word.startswith(("/", "$"))]


def ranks(argv: Sequence[str], folder: Path, rank: str) -> list[str]:
    """What each of several ranks runs, after a look at whether its node has the Python that `argv` begins with."""
    looked = check([argv[0]], shlex.quote(str(folder)), rank=rank, several=True)
    return ["/bin/bash", "-c", f'{looked}; exec "$@"', "rank", *argv]


def lacking(folder: Path) -> tuple[int, str] | None:
    """The rank whose node lacks something, and what; None where no rank has written that."""
    for path in sorted(folder.glob(f"{UNFIT}.*")):
        if path.suffix[1:].isdigit():
            return int(path.suffix[1:]), path.read_text().strip()
    return None
