"""What torch's process group travels by."""

import torch.distributed as dist

from deeprc.learning.backends import Hardware
from deeprc.learning.peers import Alone
from deeprc.learning.torch import group as module


def test_weights_on_the_processor_travel_by_gloo_also_beside_a_gpu(monkeypatch):
    """nccl would refuse them, and two ranks beside one GPU would be refused for computing on it."""
    here = Hardware("cuda", "2.13.0+cu129", {"nccl", "gloo", "mpi4py"})
    monkeypatch.setattr(module, "hardware", lambda: here)
    monkeypatch.setattr(module.torch.cuda, "get_device_properties", lambda number: here)
    with module.group(Alone(), "auto", "cpu") as found:
        assert found == "gloo" and not dist.is_initialized()
