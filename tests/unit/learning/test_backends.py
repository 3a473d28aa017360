import numpy as np
import pytest

from deeprc.core.errors import ConfigError
from deeprc.learning.backends import Hardware, choose, refuse_shared
from deeprc.learning.config import How
from deeprc.learning.peers import Alone
from deeprc.learning.sampler import Sampler
from deeprc.learning.trained import SavedTraining

WHEEL = Hardware("cpu", "2.13.0+cpu", {"gloo", "mpi4py"})
CUDA = Hardware("cuda", "2.13.0+cu129", {"nccl", "gloo", "mpi4py"})
SPACK = Hardware("cpu", "2.13.0", {"mpi", "mpi4py"})
AURORA = Hardware("xpu", "2.13.0", {"xccl", "gloo", "mpi4py"})
BARE = Hardware("cpu", "2.13.0", {"mpi4py"})
CUDA_BUILD_WITHOUT_A_GPU = Hardware("cpu", "2.13.0+cu129", {"nccl", "gloo", "mpi4py"})


@pytest.mark.parametrize(
    "here, asked, backend",
    [
        (WHEEL, "auto", "gloo"),
        (CUDA, "auto", "nccl"),
        (AURORA, "auto", "xccl"),
        (SPACK, "auto", "mpi"),
        (BARE, "auto", "mpi4py"),
        (CUDA_BUILD_WITHOUT_A_GPU, "auto", "gloo"),
        (CUDA, "gloo", "gloo"),
        (WHEEL, "mpi4py", "mpi4py"),
    ],
)
def test_the_backend_is_what_the_hardware_has(here, asked, backend):
    assert choose(asked, here) == backend


def test_one_that_is_not_there_is_refused_with_what_is():
    with pytest.raises(ConfigError) as caught:
        choose("nccl", WHEEL)
    assert str(caught.value) == (
        "the backend nccl is not here\n"
        "  found: torch 2.13.0+cpu on cpu, with gloo, mpi4py\n"
        "  expected: a GPU of NVIDIA or AMD, and a torch built for it\n"
        "  fix: give the key 'backend' one of: auto, gloo, mpi4py"
    )


@pytest.mark.parametrize("here, asked", [(WHEEL, "mpi"), (CUDA_BUILD_WITHOUT_A_GPU, "nccl"), (CUDA, "xccl")])
def test_no_backend_is_taken_for_another(here, asked):
    with pytest.raises(ConfigError, match=f"the backend {asked} is not here"):
        choose(asked, here)


def test_nothing_at_all():
    with pytest.raises(ConfigError, match="no backend is here\n  found: torch 2 on cpu, with no backend"):
        choose("auto", Hardware("cpu", "2", set()))


def test_two_ranks_on_one_accelerator_are_refused():
    refuse_shared([("a", "GPU-1"), ("a", "GPU-2"), ("b", "GPU-1"), ("b", None), ("b", None)])
    with pytest.raises(ConfigError) as caught:
        refuse_shared([("a", "GPU-1"), ("b", "GPU-1"), ("b", "GPU-1")])
    assert str(caught.value).startswith("ranks 1 and 2 compute on one accelerator\n  found: GPU-1 on b\n")


def test_ranks_on_different_kinds_of_devices_are_refused():
    class Peers(Alone):
        def allgather(self, value: object) -> list:
            return [value, "cuda (A)", "cuda (B)", "cpu"]

    def training(device: str) -> SavedTraining:
        return SavedTraining(
            np.arange(8), Peers(), Sampler(8, 1), steps=2, batch=4, shards=2, how=How(), here={"device": device},
            facts={}, folder=None,
        )  # fmt: skip

    with pytest.raises(ConfigError, match=r"ranks 0 and 3 compute on .*\n  found: cuda \(A\) and cpu\n"):
        training("cuda (A)")
    with pytest.raises(ConfigError, match=r"ranks 0 and 1 compute on .*\n  found: cpu and cuda \(A\)\n"):
        training("cpu")
