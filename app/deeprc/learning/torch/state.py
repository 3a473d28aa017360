"""The state of a training as named arrays and what JSON knows, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch


def arrays(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays called `prefix.name` (or `name`); those in this machine's memory are not copied.

    Of those that ranks share it is this rank's part.
    """
    start = f"{prefix}." if prefix else ""
    return {f"{start}{name}": local(tensor.detach()).cpu().numpy() for name, tensor in tensors.items()}


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This rank's part of a tensor that ranks share; any other as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that ranks share, whole on each of them, which all call it; any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


@torch.no_grad()
def load_module(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put weights and buffers back, of which a rank may have a part alone."""
    into = module.state_dict()
    if into.keys() != tensors.keys():
        raise KeyError(f"the weights are of another module: {sorted(into.keys() ^ tensors.keys())[:5]}")
    for name, target in into.items():
        local(target).copy_(local(tensors[name]))


def tensors(prefix: str, named: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Those of `named` that `arrays` has called by `prefix`, by their own names."""
    start = f"{prefix}." if prefix else ""
    return {name.removeprefix(start): torch.from_numpy(named[name]) for name in named if name.startswith(start)}


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    """What an optimiser remembers of each parameter, called `optimizer.<number>.<what>`."""
    memory = optimizer.state_dict()["state"]
    return arrays(
        "optimizer", {f"{number}.{what}": value for number, of in memory.items() for what, value in of.items()}
    )


def load_optimizer(optimizer: torch.optim.Optimizer, named: Mapping[str, np.ndarray], groups: list[dict]) -> None:
    """Put back what `optimizer_arrays` and the state's `param_groups` have kept."""
    memory: dict[int, dict[str, torch.Tensor]] = {}
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    for name, value in tensors("optimizer", named).items():
        number, _, what = name.partition(".")
        memory.setdefault(int(number), {})[what] = _like(value, parameters[int(number)])
    optimizer.load_state_dict({"state": memory, "param_groups": groups})


def _like(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A moment of a parameter that ranks share is shared as this is."""
    if not hasattr(parameter, "device_mesh") or not value.dim():
        return value
    from torch.distributed.tensor import DTensor

    placed = (parameter.device_mesh, parameter.placements)
    return DTensor.from_local(value, *placed, shape=parameter.shape, stride=parameter.stride())


def digest(module: torch.nn.Module) -> str:
    """The SHA-256 of a module's weights and buffers: names, types, shapes and bits."""
    return digest_of(arrays("", module.state_dict()))


def digest_of(named: Mapping[str, np.ndarray]) -> str:
    """The same of arrays."""
    found = hashlib.sha256()
    for name, array in sorted(named.items()):
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def flat(tensors: Iterable[torch.Tensor | None], sizes: Iterable[int], into: np.ndarray) -> None:
    """Write tensors one after the other into a vector; 0 for one that is not there, two numbers for a complex one."""
    at = 0
    for tensor, size in zip(tensors, sizes, strict=True):
        if tensor is not None:
            tensor = tensor.detach().resolve_conj()
            tensor = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        into[at : at + size] = 0 if tensor is None else tensor.reshape(-1).cpu().numpy()
        at += size


def unflat(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """The tensor of `like`'s shape, type and device that `flat` wrote; not a copy, in this machine's memory."""
    tensor = torch.from_numpy(values)
    if like.is_complex():
        tensor = torch.view_as_complex(tensor.reshape(-1, 2))
    return tensor.reshape(like.shape).to(like.device)


def plain(state: dict[str, Any]) -> dict[str, Any]:
    """A state that JSON knows: tuples become lists."""
    return {
        key: plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for key, value in state.items()
    }
