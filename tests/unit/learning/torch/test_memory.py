"""What a step has freed is there for the next one."""

import resource
import subprocess
import sys

import torch

from deeprc.learning.torch import memory

SIZE, TIMES = 48 << 20, 20  # bytes: more than glibc keeps by itself
PROGRAM = f"""
import resource, sys, torch
from deeprc.learning.torch.memory import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
for _ in range({TIMES}):  # the first blocks lie where there is room; the heap grows some times before all fit
    torch.ones({SIZE // 4})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    torch.ones({SIZE // 4})
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """How many pages the system gave a process anew, while it took and freed the same block again and again."""
    return int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True, text=True).stdout)


def test_pages_of_freed_blocks_are_not_asked_for_anew():
    pages = SIZE // resource.getpagesize()
    assert faults("kept") < pages / 8
    assert faults("usual") > (TIMES - 1) * 8  # of 2 MB, where the system has such


def test_where_the_c_library_cannot_it_says_so(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed() is False
    assert torch.ones(2).sum() == 2
