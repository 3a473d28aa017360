"""TimesNet over all series together (Wu et al. 2023, arXiv:2210.02186): each time is a vector of all series' values.

NeuralForecast's TimesNet takes one series at a time; the published figures are of this one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from deeprc.applications.forecasting.spectral import SpectralConvolution

# A kernel's values and the pictures from which spectra are the shorter way on a processor: 32 pictures of 34 by 24 take
# a quarter of the time, of 8 by 24 two thirds; a single picture takes twice as long.
LARGE, MANY = 50, 16


class JointTimesNet(nn.Module):
    """Folds time by its strongest periods and looks at it as a picture.

    Parameters
    ----------
    h, input_size, n_series
        Steps ahead and of the past, and the series.
    futr_exog_list
        The calendar's columns.
    hidden_size, conv_hidden_size
        Values that each time is told by, and within a block.
    top_k
        The periods that are looked at; fewer where the time is too short for so many.
    num_kernels
        Sizes of kernels: 1, 3, 5 and so on.
    random_seed
        Of the initial weights.
    loss
        Of NeuralForecast: how many values each series ends in (`outputsize_multiplier`); 1 without one.
    """

    def __init__(
        self, h: int, input_size: int, n_series: int, *, futr_exog_list: list[str] | None = None,
        hidden_size: int = 16, conv_hidden_size: int = 32, encoder_layers: int = 2, top_k: int = 5,
        num_kernels: int = 6, dropout: float = 0.1, max_steps: int = 1, random_seed: int = 1,
        loss: nn.Module | None = None,
    ) -> None:  # fmt: skip
        from neuralforecast.common._modules import DataEmbedding

        super().__init__()
        torch.manual_seed(random_seed)
        self.h, self.hist_exog_size, self.futr_exog_size = h, 0, len(futr_exog_list or [])
        self.input_size = input_size
        # In the order of the authors' code: the same seed gives the same initial weights as there.
        blocks = (Block(hidden_size, conv_hidden_size, top_k, num_kernels) for _ in range(encoder_layers))
        self.blocks, self.norm = nn.ModuleList(blocks), nn.LayerNorm(hidden_size)
        self.embedding = DataEmbedding(n_series, self.futr_exog_size, hidden_size, dropout=dropout)
        self.ahead = nn.Linear(input_size, input_size + h)
        self.projection = nn.Linear(hidden_size, n_series * (loss.outputsize_multiplier if loss else 1))

    def forward(self, windows: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Forecasts [times, h, values * series] from `insample_y` [times, input_size, series] and `futr_exog`."""
        marks = windows["futr_exog"][:, : self.input_size] if self.futr_exog_size else None
        x = self.ahead(self.embedding(windows["insample_y"], marks).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = self.norm(block(x))
        return self.projection(x)[:, -self.h :]


class Block(nn.Module):
    """Looks at [times, steps, values] folded by each of its strongest periods, and adds up what it sees."""

    def __init__(self, hidden_size: int, conv_hidden_size: int, top_k: int, num_kernels: int) -> None:
        super().__init__()
        self.top_k = top_k
        self.inwards = Inception(hidden_size, conv_hidden_size, num_kernels)
        self.outwards = Inception(conv_hidden_size, hidden_size, num_kernels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        batch, steps, values = x.shape
        amplitude = torch.fft.rfft(x, dim=1).abs().mean(-1)[:, 1:]  # without the mean, which has no period
        strongest = amplitude.mean(0).topk(min(self.top_k, amplitude.shape[1])).indices
        weights = amplitude[:, strongest].softmax(1)
        periods, number = torch.unique(steps // (strongest + 1), return_inverse=True)
        # Of 192 steps the frequencies 65 to 96 all have a period of 2: they see one picture, which is computed once.
        weights = weights.new_zeros(batch, len(periods)).index_add(1, number, weights)
        inwards, outwards, seen = self.inwards.mean(), self.outwards.mean(), x
        for period, weight in zip(periods.tolist(), weights.T, strict=True):
            rows = -(-steps // period)
            folded = functional.pad(x, (0, 0, 0, rows * period - steps)).reshape(batch, rows, period, values)
            folded = convolved(functional.gelu(convolved(folded.permute(0, 3, 1, 2), *inwards)), *outwards)
            seen = seen + weight[:, None, None] * folded.permute(0, 2, 3, 1).reshape(batch, -1, values)[:, :steps]
        return seen


class Inception(nn.Module):
    """The mean of convolutions with kernels of 1, 3, 5 and so on: computed as one, with the mean of the kernels."""

    def __init__(self, inputs: int, outputs: int, count: int) -> None:
        super().__init__()
        self.kernels = nn.ModuleList(nn.Conv2d(inputs, outputs, 2 * i + 1, padding=i) for i in range(count))
        for kernel in self.kernels:
            nn.init.kaiming_normal_(kernel.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(kernel.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[pictures, outputs, rows, columns] of [pictures, inputs, rows, columns]."""
        return convolved(x, *self.mean())

    def mean(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean of the kernels, each with zeros around it to the size of the largest, and of their biases."""
        count = len(self.kernels)
        padded = [functional.pad(one.weight, [count - 1 - i] * 4) for i, one in enumerate(self.kernels)]
        return torch.stack(padded).mean(0), torch.stack([one.bias for one in self.kernels]).mean(0)


def convolved(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """What a kernel with odd sides makes of pictures, which keep their size."""
    # Of a kernel larger than the picture the ends meet nothing but the border.
    middle = weight.shape[2] // 2
    rows, columns = (min(middle, size - 1) for size in x.shape[2:])
    weight = weight[:, :, middle - rows : middle + rows + 1, middle - columns : middle + columns + 1]
    if weight[0, 0].numel() >= LARGE and len(x) >= MANY and x.device.type == "cpu":
        return SpectralConvolution.apply(x, weight) + bias[:, None, None]
    # Values side by side, as pictures of folded time have them: half the time of planes of one value each.
    last = torch.channels_last
    return functional.conv2d(
        x.contiguous(memory_format=last), weight.contiguous(memory_format=last), bias, padding=(rows, columns)
    )
