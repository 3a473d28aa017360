"""The backend that gradients travel by: chosen from the machine and the request, and refused where it is missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deeprc.core.errors import ConfigError

BACKENDS = ("nccl", "xccl", "gloo", "mpi", "mpi4py")
# By device: torch calls AMD's devices `cuda` and RCCL `nccl`; it calls Intel's devices `xpu` and oneCCL `xccl`.
DEVICE = {"nccl": "cuda", "xccl": "xpu"}
OTHER_NAMES = {"RCCL": "nccl", "oneCCL": "xccl", "NCCL": "nccl", "GLOO": "gloo", "MPI": "mpi", "ccl": "xccl"}


@dataclass(frozen=True)
class Hardware:
    """What a rank finds.

    Attributes
    ----------
    device
        `cuda` (NVIDIA's and AMD's), `xpu` (Intel's) or `cpu`: what torch can compute on here.
    torch
        The version of torch.
    has
        The backends that are built into it, and `mpi4py` where that is installed.
    """

    device: str
    torch: str
    has: Collection[str]


def choose(asked: str, here: Hardware) -> str:
    """The backend for several ranks.

    `auto`: nccl (RCCL) or xccl (oneCCL) on their accelerators, gloo on processors, mpi where torch was built
    with it and without gloo, else mpi4py's buffers.

    Raises
    ------
    ConfigError
        For a backend that is missing; the error names those present.
    """
    works = [name for name in BACKENDS if _works(name, here)]
    if asked == "auto":
        if works:
            return works[0]
    elif asked in works:
        return asked
    raise ConfigError(
        f"the backend {asked} is not here" if asked != "auto" else "no backend is here",
        found=f"torch {here.torch} on {here.device}, with {', '.join(sorted(here.has)) or 'no backend'}",
        expected=_needs(asked),
        fix=f"give the key 'backend' one of: auto, {', '.join(works)}"
        if works
        else "install mpi4py, or start one rank",
    )


def _works(name: str, here: Hardware) -> bool:
    return name in here.has and DEVICE.get(name, here.device) == here.device


def _needs(asked: str) -> str:
    needs = {
        "nccl": "a GPU of NVIDIA or AMD, and a torch built for it",
        "xccl": "a GPU of Intel, and a torch built for it",
        "mpi": "a torch built from source against the site's MPI (the images of Spack have it, wheels do not)",
        "gloo": "a torch with its distributed package",
        "mpi4py": "mpi4py in the environment",
    }
    return needs.get(asked, "gloo, nccl, xccl or mpi in torch, or mpi4py")


def refuse_shared(seats: Sequence[tuple[str, str | None]]) -> None:
    """Refuse to let two ranks compute on one accelerator; `seats` are each rank's node and its accelerator's UUID.

    Raises
    ------
    ConfigError
        Naming both ranks.
    """
    first: dict[tuple[str, str], int] = {}
    for rank, (host, accelerator) in enumerate(seats):
        if accelerator is None:
            continue
        other = first.setdefault((host, accelerator), rank)
        if other != rank:
            raise ConfigError(
                f"ranks {other} and {rank} compute on one accelerator",
                found=f"{accelerator} on {host}",
                expected="one of its own for each rank",
                fix="ask for gpus_per_task: 1 (docs/learning.md), or for fewer ranks on a node; or give the key"
                " 'training.device' cpu",
            )


def refuse_mixed(devices: Sequence[str]) -> None:
    """Refuse ranks on different kinds of devices, as `auto` may find them; `devices` are each rank's, kind first.

    They would wait for each other by different backends, or have other bits than ranks that are alike.

    Raises
    ------
    ConfigError
        Naming two of them.
    """
    kinds = [each.partition(" ")[0] for each in devices]
    other = next((rank for rank, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise ConfigError(
            f"ranks 0 and {other} compute on different kinds of devices",
            found=f"{devices[0]} and {devices[other]}",
            expected="one kind for all ranks",
            fix="ask for gpus_per_task: 1 (docs/learning.md), or give the key 'training.device' cpu",
        )
