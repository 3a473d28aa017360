"""The energy that this machine's processors and accelerators take, where it can be read: RAPL and NVML.

RAPL's counters (`/sys/class/powercap`) are for root alone on most machines, and start again from zero when they are
full; NVML counts since its driver was loaded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"


class Meter:
    """What was taken since it was made.

    Attributes
    ----------
    of
        What is counted: `package-0`, `dram`, `GPU 0` …
    why
        Why nothing is; None where something is.

    Parameters
    ----------
    powercap
        The folder of RAPL's counters.
    accelerators
        Gives the millijoules that each accelerator has counted.
    """

    def __init__(self, powercap: Path = POWERCAP, accelerators: Callable[[], list[int]] | None = None) -> None:
        self._accelerators = accelerators or _nvml()
        self._zones, closed = _zones(powercap)
        self._last: dict[str, float] = {}
        self._joules = 0.0
        self.read()
        self.of = sorted(self._last)
        self.why = None if self.of else f"{closed or 'no RAPL here'}, no NVML"

    def read(self) -> float:
        """The joules so far; asked for at least every few minutes, no turn of a counter is missed."""
        now, turns = {}, {}
        for name, (zone, most) in self._zones.items():
            now[name], turns[name] = int((zone / "energy_uj").read_text()) / 1e6, most
        now |= {f"GPU {number}": count / 1e3 for number, count in enumerate(self._accelerators())}
        for name, value in now.items():
            last = self._last.get(name, value)
            self._joules += value - last + (turns.get(name, 0.0) if value < last else 0.0)
        self._last = now
        return self._joules


def _zones(powercap: Path) -> tuple[dict[str, tuple[Path, float]], str | None]:
    """The counters that may be read, by name, with what each counts to; and what is said of those that may not."""
    found, closed = {}, None
    for zone in sorted(powercap.glob("intel-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
            if not name.startswith(("package", "dram")):  # core and uncore are parts of the package
                continue
            int((zone / "energy_uj").read_text())
            most = int((zone / "max_energy_range_uj").read_text()) / 1e6
        except PermissionError:
            closed = "RAPL's counters are for root alone here"
            continue
        except (OSError, ValueError):
            continue
        of = zone.name.split(":")[1]
        found[f"{name} {of}" if name == "dram" else name] = zone, most
    return found, closed


def _nvml() -> Callable[[], list[int]]:
    """The millijoules of each accelerator; nothing where NVML is not, or its accelerators do not count."""
    try:
        library = ctypes.CDLL(NVML)
        number = ctypes.c_uint()
        if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(number)):
            return list
    except (OSError, AttributeError):
        return list
    devices = []
    for index in range(number.value):
        device, count = ctypes.c_void_p(), ctypes.c_ulonglong()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
            continue
        if not library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(count)):
            devices.append(device)

    def read() -> list[int]:
        counts = []
        for device in devices:
            count = ctypes.c_ulonglong()
            library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(count))
            counts.append(count.value)
        return counts

    return read
