"""The engines: what each is started by."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeprc.bench import start
from deeprc.bench.resume.engines import task
from deeprc.core.errors import ConfigError

FOLDER = Path(__file__).parent / "engines"
PROBE = """
import importlib.metadata, json, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


@dataclass(frozen=True)
class TrainingEngine:
    """A library that trains.

    Attributes
    ----------
    program, options
        In the folder `engines`, and its arguments after the folder and the number of the run.
    packages
        What it needs; none: it is ours.
    torchrun
        Whether its ranks are started by torchrun, and not by itself.
    """

    name: str
    program: str
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    torchrun: bool = False

    def versions(self, python: str) -> dict[str, str | None]:
        """Of what it needs, in the environment of that Python; None for what is not there.

        Raises
        ------
        ConfigError
            Where it is none.
        """
        said = ""
        try:
            done = subprocess.run([python, "-c", PROBE, *self.packages], capture_output=True, text=True)
            said = done.stderr.strip().rpartition("\n")[2]
            return dict(json.loads(done.stdout))
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                "this is no Python that starts", where=python, found=said or error, expected="the path of a Python",
                fix="mend --python",
            ) from error  # fmt: skip

    def command(self, python: str, folder: Path, run: int) -> Sequence[str]:
        """What starts its ranks."""
        about = [str(folder), str(run), *self.options]
        if not self.packages:
            module = f"deeprc.bench.resume.engines.{self.program}"
            return start.command(task.RANKS, module, about)[0]
        program = [str(FOLDER / f"{self.program}.py"), *about]
        if not self.torchrun:
            return [python, *program]
        # A port of its own, which torchrun chooses: the one before it may not be free yet.
        return [python, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={task.RANKS}", *program]


ENGINES = {
    one.name: one
    for one in (
        TrainingEngine("deeprc", "by_deeprc", options=("elastic",)),
        TrainingEngine("deeprc-fixed", "by_deeprc", options=("fixed",)),
        TrainingEngine("lightning", "by_lightning", ("lightning", "torchdata", "torch")),
        TrainingEngine("accelerate", "by_accelerate", ("accelerate", "torch"), ("skip",), torchrun=True),
        TrainingEngine(
            "accelerate-stateful", "by_accelerate", ("accelerate", "torchdata", "torch"), ("stateful",), torchrun=True
        ),
    )
}
