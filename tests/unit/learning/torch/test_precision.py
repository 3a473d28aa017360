"""Half precision on processors: with oneDNN where it has it for them, and without where it has not."""

import pytest
import torch

from deeprc.learning.torch import precision


@pytest.mark.parametrize("known", [None, False])
@pytest.mark.parametrize("kind", [*precision.HALF])
@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU, torch.nn.Linear])
def test_each_layer_computes_in_half_precision_on_any_processor(layer, kind, known, monkeypatch):
    """oneDNN refuses LSTMs in half precision on processors without AVX-512, though torch asks it for them."""
    if known is not None:
        monkeypatch.setitem(precision.KNOWN, kind, lambda: known)
    torch.manual_seed(1)
    network, values = layer(4, 8), torch.randn(5, 3, 4)

    def computed(how: str) -> torch.Tensor:
        with precision.cast(how, torch.device("cpu")):
            given = network(values)
        return (given[0] if isinstance(given, tuple) else given).float()

    whole, half = computed("float32"), computed(kind)
    assert not torch.equal(whole, half)
    torch.testing.assert_close(half, whole, atol=0.03, rtol=0)
    half.sum().backward()
    assert all(one.grad.isfinite().all() for one in network.parameters())
    assert torch._C._get_mkldnn_enabled()
