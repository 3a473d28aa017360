"""Asking programs."""

import time

from deeprc.core.ask import ask


def test_a_program_that_does_not_answer_is_not_waited_for():
    began = time.monotonic()
    assert ask(["sleep", "30"], patience=0.3) is None
    assert time.monotonic() - began < 10
    assert ask(["false"]) is None and ask(["no-such-program-here"]) is None and ask(["echo", "x"]) == "x\n"
