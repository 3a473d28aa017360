"""Networks computed in half precision: by torch's autocast, with weights, sums and losses in float32.

Source: Micikevicius et al. 2018, arXiv:1710.03740.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from deeprc.learning.config import Precision

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
# Whether oneDNN computes in it on the processors here.
KNOWN = {
    "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported,
    "float16": torch.ops.mkldnn._is_mkldnn_fp16_supported,
}
FIRST, EVERY = 2.0**16, 2000  # as torch's GradScaler


@contextmanager
def cast(precision: Precision, device: torch.device) -> Iterator[None]:
    """Within it a network is computed in half precision where `precision` is one."""
    if precision not in HALF:
        yield
        return
    # oneDNN takes an LSTM in half precision, and then has none for processors without AVX-512 (torch 2.13): theirs are
    # torch's own.
    own = device.type == "cpu" and not KNOWN[precision]()
    before = torch.backends.mkldnn.set_flags(_enabled=False)[0] if own else None
    try:
        with torch.autocast(device.type, HALF[precision]):
            yield
    finally:
        if own:
            torch.backends.mkldnn.set_flags(_enabled=before)


class Scale:
    """What losses are multiplied by, so that float16 can tell small gradients from nothing.

    It goes as torch's GradScaler does: halved when a gradient is too large for float16, doubled after 2,000 steps
    without. But that leaves out the step, and with it samples that the ledger has: here such a step is computed once
    more, with the same samples and the same chance.
    """

    def __init__(self) -> None:
        self.value, self.since = FIRST, 0

    def undo(self, parameters: list[torch.Tensor]) -> None:
        """Divide gradients by it."""
        for one in parameters:
            if one.grad is not None:
                one.grad /= self.value

    def smaller(self) -> bool:
        """Halve it; whether that is of use: what overflows at 1 does so by itself."""
        if self.value <= 1:
            return False
        self.value, self.since = max(1.0, self.value / 2), 0
        return True

    def done(self) -> None:
        """A step has a gradient."""
        self.since += 1
        if self.since == EVERY:
            self.value, self.since = self.value * 2, 0

    def array(self) -> np.ndarray:
        """It, to be saved."""
        return np.array([self.value, self.since])

    def load(self, saved: np.ndarray) -> None:
        """Go on from there."""
        self.value, self.since = float(saved[0]), int(saved[1])
