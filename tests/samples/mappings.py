"""What a process has mapped into its memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def mapped_file(values: np.ndarray) -> Path | None:
    """The file in whose mapping all of an array lies, as the kernel says; None where it is other memory."""
    first = values.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, path = line.split(maxsplit=5) if len(line.split()) > 5 else (line.split()[0], None)
        begin, end = (int(part, 16) for part in span.split("-"))
        if begin <= first and first + values.nbytes <= end:
            return Path(path) if path and path.startswith("/") else None
    return None
