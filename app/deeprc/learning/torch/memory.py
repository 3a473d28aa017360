"""Memory that a step has freed stays with the process, for the next one.

glibc gives blocks above 32 MB back to the system when they are freed, and those at the end of the heap: a step that
needs as much again gets each page anew, zeroed by the kernel. Of an LSTM on 256 windows that took half of the step.
"""

from __future__ import annotations

import ctypes

# The numbers of glibc's malloc.h, and what is given back: nothing of less than 1 GiB, nothing of the heap.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE, NEVER = 1 << 30, (1 << 31) - 1


def keep_freed() -> bool:
    """Keep what is freed; whether the C library can. A process then holds what it has needed at its most."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl, macOS
        return False
    return all([mallopt(M_MMAP_THRESHOLD, LARGE), mallopt(M_TRIM_THRESHOLD, NEVER)])
