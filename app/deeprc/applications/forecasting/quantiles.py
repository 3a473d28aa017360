"""Quantiles as something to be learned, and as what sampled paths of a distribution say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

PATHS = 256  # of a probabilistic model, for each window
GOLDEN = (math.sqrt(5) - 1) / 2


def pinball(forecast: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, levels: Sequence[float]) -> torch.Tensor:
    """The quantile loss over what `mask` counts: 2 max(q (y - ŷ), (q - 1) (y - ŷ)), the mean over the levels q, summed.

    Twice the loss of Koenker and Bassett 1978 (doi:10.2307/1913643), so that the median's own is its absolute error.

    Parameters
    ----------
    forecast
        Quantiles [windows, horizon, levels].
    y, mask
        [windows, horizon].
    """
    below = y[..., None] - forecast
    level = forecast.new_tensor(levels)
    return (2 * torch.maximum(level * below, (level - 1) * below).mean(-1) * mask).sum()


class StudentPaths:
    """Numbers of Student's distribution that paths are made of: the same for each window, whatever windows are beside.

    So a window's forecast depends on no other, nor on the number of ranks. What all windows share must be evenly
    spread: a step's two uniform numbers are the points of a Fibonacci lattice, dealt to the paths at random.

    Parameters
    ----------
    seed, paths
        What they depend on.
    """

    def __init__(self, seed: int = 1, paths: int = PATHS) -> None:
        self._chance, self.paths = torch.Generator().manual_seed(seed), paths

    def draw(self, freedom: torch.Tensor) -> torch.Tensor:
        """The next number of each path, for degrees of freedom [windows, paths] (or 1).

        By the polar method, which is exact: Bailey 1994, doi:10.1090/S0025-5718-1994-1219702-8.
        """
        number = torch.randperm(self.paths, generator=self._chance)
        turn = (number * GOLDEN + torch.rand(1, generator=self._chance, dtype=torch.float64)) % 1
        wave, one = torch.cos(2 * math.pi * turn), torch.log((number + 0.5) / self.paths)
        wave, one = (each.to(freedom.device, freedom.dtype) for each in (wave, one))
        return torch.sqrt(freedom * torch.expm1(-2 / freedom * one)) * wave


def empirical(paths: torch.Tensor, levels: Sequence[float]) -> torch.Tensor:
    """The quantiles [..., levels] of samples [..., paths], linear between their mid-ranks.

    Source: Hyndman and Fan 1996, doi:10.2307/2684934, definition 5. (torch.quantile takes no more than 16 million.)
    """
    ordered, count = paths.sort(-1).values, paths.shape[-1]
    place = (torch.tensor(levels, dtype=torch.float64, device=paths.device) * count - 0.5).clamp(0, count - 1)
    lower = place.floor().long()
    part = (place - lower).to(paths.dtype)
    upper = (lower + 1).clamp(max=count - 1)
    return ordered[..., lower] * (1 - part) + ordered[..., upper] * part
