"""What a detached run says, shown as it comes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import BinaryIO

from deeprc.core.errors import DeepRCError
from deeprc.core.files import tail
from deeprc.pilot.detached import Detached

# Seconds between two looks at the log, questions to the batch system, words to the user.
LOOK, ASK, SAY = 0.3, 5.0, 30.0


def follow(run: Detached, output: BinaryIO, say: Callable[[str], None]) -> int:
    """Write what the run has said and says, until it has ended; its exit code.

    Raises
    ------
    DeepRCError
        Where it has ended and could not write down how.
    """
    at, asked, said, gone = 0, time.monotonic(), 0.0, 0
    while True:
        code = run.code
        with contextlib.suppress(FileNotFoundError), run.log.open("rb") as log:
            log.seek(at)
            while text := log.read(1 << 16):
                output.write(text)
                at += len(text)
            output.flush()
        if code is not None:
            return code
        now = time.monotonic()
        if now - asked > ASK:
            asked = now
            gone = gone + 1 if run.lives is False else 0
            if gone > 1 and run.code is None:
                raise DeepRCError(
                    f"run {run.id} has ended without a word", where=run.where, found=run.state,
                    fix="the same snakemake command goes on with what is done",
                )  # fmt: skip
            if not at and now - said > SAY:
                said = now
                say(f"run {run.id}, {run.where}: {run.state}")
        time.sleep(LOOK)


def last_words(run: Detached) -> str:
    """The last line that it has said."""
    return (tail(run.log) or [""])[-1] if run.log.exists() else ""
