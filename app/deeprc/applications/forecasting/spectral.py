"""Convolutions with large kernels by Fourier transforms: the values of `conv2d`, with fewer products."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


class SpectralConvolution(torch.autograd.Function):
    """What kernels with odd sides make of pictures [pictures, inputs, rows, columns], which keep their size.

    A product of spectra is a convolution on a circle, here so long that its ends do not meet. The derivative is by
    hand: torch's own of a real transform is a complex one, of twice as many values. Complex products are written as
    real ones, which torch computes for all frequencies at once, and complex ones one by one.
    """

    @staticmethod
    def forward(ctx: Any, pictures: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """[pictures, outputs, rows, columns], by a weight of [outputs, inputs, height, width]."""
        (rows, columns), (height, width) = pictures.shape[2:], weight.shape[2:]
        up, left = height // 2, width // 2
        size = _quick(rows + up), _quick(columns + left)
        seen = _spectrum(functional.pad(pictures, (left, 0, up, 0)), size).flatten(2)
        real, imaginary = _spectrum(weight.transpose(0, 1), size).unbind(-1)  # [frequencies, inputs, outputs]
        # By the conjugate, since what is called a convolution is a correlation.
        kernel = torch.stack(
            [torch.stack([real, -imaginary], -1), torch.stack([imaginary, real], -1)], 2
        ).flatten(3).flatten(1, 2)  # fmt: skip
        ctx.save_for_backward(seen, kernel)
        ctx.size, ctx.picture, ctx.weight = size, pictures.shape, weight.shape
        return _picture(torch.bmm(seen, kernel).unflatten(2, (-1, 2)), size)[..., :rows, :columns]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradients of pictures and weight."""
        seen, kernel = ctx.saved_tensors
        (outputs, inputs, height, width), (rows, columns) = ctx.weight, ctx.picture[2:]
        up, left = height // 2, width // 2
        spectrum = _spectrum(gradient, ctx.size).flatten(2)
        pictures = _picture(torch.bmm(spectrum, kernel.mT).unflatten(2, (-1, 2)), ctx.size)
        parts = torch.bmm(seen.mT, spectrum).unflatten(2, (outputs, 2)).unflatten(1, (inputs, 2))
        real = parts[:, :, 0, :, 0] + parts[:, :, 1, :, 1]
        imaginary = parts[:, :, 1, :, 0] - parts[:, :, 0, :, 1]
        weight = _picture(torch.stack([real, imaginary], -1), ctx.size).transpose(0, 1)
        return pictures[..., up : up + rows, left : left + columns], weight[..., :height, :width]


def _spectrum(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[frequencies, first, second, 2] of [first, second, rows, columns]: real and imaginary parts."""
    return torch.view_as_real(torch.fft.rfft2(pictures, s=size)).flatten(2, 3).permute(2, 0, 1, 3)


def _picture(spectrum: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The way back."""
    apart = spectrum.unflatten(0, (size[0], size[1] // 2 + 1)).permute(2, 3, 0, 1, 4).contiguous()
    return torch.fft.irfft2(torch.view_as_complex(apart), s=size)


def _quick(length: int) -> int:
    """The least length from `length` on that is a product of 2, 3 and 5 alone: such transforms are quick."""
    rest = length
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    return length if rest == 1 else _quick(length + 1)
