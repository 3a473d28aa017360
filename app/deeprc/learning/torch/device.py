"""What a rank computes on: which device there is, what it can, and how batches get there."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import numpy as np
import torch
import torch.distributed as dist

from deeprc.core.errors import ConfigError
from deeprc.learning.backends import Hardware
from deeprc.learning.config import Device, Precision
from deeprc.learning.torch import state

TENSOR_CORES = (8, 0)  # the first of NVIDIA's compute capabilities with TF32 (Ampere)


def hardware() -> Hardware:
    """What this rank finds."""
    has = {"mpi4py"} if importlib.util.find_spec("mpi4py") else set()
    if dist.is_available():
        has |= {name for name in ("nccl", "xccl", "gloo", "mpi") if dist.is_backend_available(name)}
    device = "cuda" if torch.cuda.is_available() else "xpu" if torch.xpu.is_available() else "cpu"
    return Hardware(device, torch.__version__, has)


def device(asked: Device, precision: Precision = "float32") -> torch.device:
    """The device of this rank: the first accelerator that it sees is its own (`deeprc plan`), else the processor.

    From then on what is float32 is computed as such there, or, where `precision` says so, as TF32: torch's own choice
    is TF32 for convolutions and recurrent networks alone.

    Raises
    ------
    ConfigError
        Where `asked` is a device that is not here, or it cannot compute in that precision.
    """
    here = hardware()
    kind = here.device if asked == "auto" else asked
    if kind not in (here.device, "cpu"):
        raise ConfigError(
            f"the device {asked} is not here",
            found=f"torch {here.torch}, which sees {'no accelerator' if here.device == 'cpu' else here.device}",
            expected="an accelerator that the job was given, and a torch built for it",
            fix="give the key 'training.device' auto or cpu; or an image, or a torch, for these accelerators",
        )
    if why := _cannot(kind, precision):
        raise ConfigError(
            f"precision {precision} cannot be had here",
            found=why,
            expected=_needs(precision),
            fix="give the key 'training.precision' float32, or ask for an accelerator that has it",
        )
    if kind == "cuda":
        torch.backends.cuda.matmul.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        torch.backends.cudnn.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    return torch.device(kind, 0) if kind != "cpu" else torch.device("cpu")


def _cannot(kind: str, precision: Precision) -> str | None:
    if kind == "cpu":
        return "the processor alone" if precision in ("float16", "tf32") else None
    if kind == "xpu":
        return "an accelerator of Intel" if precision == "tf32" else None
    if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.cuda.get_device_name()
    if precision == "tf32" and (torch.version.hip or torch.cuda.get_device_capability() < TENSOR_CORES):
        return torch.cuda.get_device_name()
    return None


def _needs(precision: Precision) -> str:
    return {
        "tf32": "a GPU of NVIDIA, of Ampere (A100) or later",
        "bfloat16": "a GPU that computes in it (of NVIDIA: Ampere or later), or a processor",
    }.get(precision, "an accelerator")


def called(device: torch.device) -> str:
    """The device, for people and records."""
    if device.type == "cpu":
        return "cpu"
    return f"{device.type} ({torch.get_device_module(device).get_device_name(device)})"


def put(values: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    """Values as a tensor there; an accelerator fetches them from pinned memory, and nothing waits for it."""
    tensor = torch.as_tensor(values)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def seed(value: int, device: torch.device) -> None:
    """Seed the generators that a network there may draw from, below 2^63."""
    if device.type == "cpu":  # torch.manual_seed also notes, with a traceback, what accelerators are to be seeded with
        torch.default_generator.manual_seed(value)
    else:
        torch.manual_seed(value)


def chance(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of the generators that a network may draw from."""
    of = {"torch": torch.get_rng_state()}
    return of if device.type == "cpu" else of | {device.type: torch.get_device_module(device).get_rng_state(device)}


def set_chance(found: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Put it back; what was saved on another kind of device says nothing of this one's."""
    torch.set_rng_state(found["torch"])
    if device.type in found:
        torch.get_device_module(device).set_rng_state(found[device.type], device)


def of(module: torch.nn.Module) -> torch.device:
    """Where a module's weights are."""
    return state.local(next(module.parameters())).device
