"""Network cards, from the classes of the kernel: cxi (Slingshot), InfiniBand's, which EFA and Omni-Path share, net."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.ask import folders, read

ROOT = Path("/")
AMAZON = "0x1d0f"  # PCI vendor


@dataclass(frozen=True)
class Nic:
    """A network card: its name, the fabric it belongs to, what libfabric or UCX call the right way through it."""

    name: str
    fabric: str
    provider: str
    gbit: int | None = None
    active: bool = True


def nics(root: Path = ROOT) -> list[Nic]:
    """The cards for parallel programs; where there are none, those of Ethernet."""
    return [*_slingshot(root), *_verbs(root)] or _ethernet(root)


def _slingshot(root: Path) -> list[Nic]:
    speeds = [_speed(path) for path in folders(root / "sys/class/net", "hsn*")]
    return [
        Nic(card.name, "slingshot", "cxi", speeds[number] if number < len(speeds) else None)
        for number, card in enumerate(folders(root / "sys/class/cxi", "cxi*"))
    ]


def _verbs(root: Path) -> list[Nic]:
    """Cards with verbs: InfiniBand and RDMA over Ethernet of any maker, Amazon's EFA, Omni-Path."""
    found = []
    for card in folders(root / "sys/class/infiniband"):
        if not (card / "device").exists():
            continue  # RDMA made by software over Ethernet (rxe, siw)
        driver = (card / "device/driver").resolve().name
        port = next(iter(folders(card / "ports")), card / "ports/1")
        rate = re.match(r"[\d.]+", read(port / "rate") or "")
        gbit = round(float(rate.group())) if rate else None
        active = "ACTIVE" in (read(port / "state") or "ACTIVE")
        if driver == "efa" or read(card / "device/vendor") == AMAZON:
            kind = ("efa", "efa")
        elif card.name.startswith("hfi1") or driver == "hfi1":
            kind = ("omnipath", "psm2")
        else:
            fabric = "ethernet" if read(port / "link_layer") == "Ethernet" else "infiniband"
            nvidia = (
                driver.startswith("mlx5") or card.name.startswith("mlx5") or driver == "driver"
            )  # it cannot be read
            kind = (fabric, "mlx5" if nvidia else "verbs")  # irdma, bnxt_re, mlx4, ionic, hns…
        found.append(Nic(card.name, *kind, gbit, active))
    return found


def _ethernet(root: Path) -> list[Nic]:
    return [
        Nic(path.name, "ethernet", "tcp", _speed(path), read(path / "operstate") != "down")
        for path in folders(root / "sys/class/net")
        if (path / "device").exists()  # bridges, tunnels and the loopback have no device
    ]


def _speed(path: Path) -> int | None:
    megabits = read(path / "speed") or ""
    return int(megabits) // 1000 or None if megabits.isdigit() else None
