"""What a rank computes on. There is no GPU here: what torch says of one is made up, and nothing is computed on it."""

import pytest
import torch

from deeprc.core.errors import ConfigError
from deeprc.learning.torch import device as module


@pytest.fixture
def gpu(monkeypatch):
    """A function that has torch see a GPU of a name and a compute capability."""
    kept = torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.fp32_precision

    def seen(name: str, capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: name)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: capability >= (8, 0))

    yield seen
    torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.fp32_precision = kept


def test_a_gpu_is_taken_where_there_is_one_and_computes_float32_as_such(gpu):
    assert module.device("auto") == torch.device("cpu")
    gpu("NVIDIA A100", (8, 0))
    for asked, precision, kind in (("auto", "float32", "ieee"), ("cuda", "bfloat16", "ieee"), ("auto", "tf32", "tf32")):
        assert module.device(asked, precision) == torch.device("cuda", 0)
        assert torch.backends.cuda.matmul.fp32_precision == torch.backends.cudnn.fp32_precision == kind
    assert module.device("cpu") == torch.device("cpu")
    assert module.called(torch.device("cuda", 0)) == "cuda (NVIDIA A100)"


def test_a_device_that_is_not_there_is_refused_by_name(gpu):
    with pytest.raises(ConfigError) as caught:
        module.device("cuda")
    assert str(caught.value) == (
        "the device cuda is not here\n"
        f"  found: torch {torch.__version__}, which sees no accelerator\n"
        "  expected: an accelerator that the job was given, and a torch built for it\n"
        "  fix: give the key 'training.device' auto or cpu; or an image, or a torch, for these accelerators"
    )
    gpu("NVIDIA A100", (8, 0))
    with pytest.raises(ConfigError, match=r"xpu is not here\n  found: torch .*, which sees cuda"):
        module.device("xpu")


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_what_a_gpu_cannot_compute_in_is_refused_with_its_name(gpu, precision):
    gpu("Tesla V100", (7, 0))
    with pytest.raises(ConfigError, match=f"precision {precision} cannot be had here\n  found: Tesla V100\n"):
        module.device("auto", precision)
    assert module.device("auto", "float16").type == "cuda"


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_processors_have_not_all_precisions(precision):
    with pytest.raises(ConfigError, match=f"precision {precision} cannot be had here\n  found: the processor alone"):
        module.device("auto", precision)
    assert module.device("auto", "bfloat16").type == "cpu"


def test_batches_go_to_a_gpu_from_pinned_memory_and_nothing_waits(monkeypatch):
    done = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: done.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *where, **how: done.append((where, how)) or self)
    values = torch.ones(3)
    assert module.put(values, torch.device("cpu")) is values and done == []
    module.put(values, torch.device("cuda", 0))
    assert done == ["pinned", ((torch.device("cuda", 0),), {"non_blocking": True})]


def test_a_network_on_a_processor_draws_as_torch_seeds_it_and_no_accelerator_is_told(monkeypatch):
    torch.manual_seed(2**62 + 3)
    drawn = torch.rand(4)

    def told(seed: int) -> None:
        raise AssertionError("an accelerator is seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", told)
    module.seed(2**62 + 3, torch.device("cpu"))
    assert torch.equal(torch.rand(4), drawn)
    with pytest.raises(AssertionError, match="an accelerator is seeded"):
        module.seed(1, torch.device("meta"))
