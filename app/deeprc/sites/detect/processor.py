"""Cores, memory and architecture, as far as this process may use them; and the processor that they belong to."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import psutil

from deeprc.core.ask import read

ROOT = Path("/")
# Processors of Arm's have no name in /proc/cpuinfo: implementer and part (Arm's MIDR_EL1).
ARM_PARTS = {("0x41", "0xd4f"): "Neoverse V2", ("0x41", "0xd40"): "Neoverse V1", ("0x41", "0xd0c"): "Neoverse N1"}
GRACE = "jep106:036b:0241"  # its system on a chip: the cores alone are those of Amazon's and Google's, too
ARM_PARTS |= {("0x46", "0x001"): "Fujitsu A64FX", ("0x41", "0xd49"): "Neoverse N2"}


@dataclass(frozen=True)
class Processor:
    """The processors of this machine, whether this process may use all of them or not."""

    model: str | None
    sockets: int
    physical_cores: int


def cores(root: Path = ROOT) -> int:
    """Cores that this process may use: the affinity mask, cut to the control group's quota where one is set."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))


def memory_mb(root: Path = ROOT) -> int:
    """Memory that this process may use, MB: the machine's, cut to the limits of the control groups that it is in."""
    limits = [psutil.virtual_memory().total]
    for line in (read(root / "proc/self/cgroup") or "0::/").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # Version 2 has one hierarchy, without controllers in that line; version 1 one for memory.
        base, name = ("memory", "memory.limit_in_bytes") if controllers else (".", "memory.max")
        group = Path(path.lstrip("/"))
        values = (read(root / "sys/fs/cgroup" / base / part / name) for part in (group, *group.parents))
        limits += [int(value) for value in values if value and value != "max"]
    return min(limits) // 10**6


def architecture() -> str:
    """The processor's architecture, as image labels name it."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())


def processor(root: Path = ROOT) -> Processor:
    """The processors, from /proc/cpuinfo and the topology in /sys."""
    info = read(root / "proc/cpuinfo") or ""
    name = "NVIDIA Grace" if read(root / "sys/devices/soc0/soc_id") == GRACE else model_name(info)
    packages, places = set(), set()
    for topology in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology"):
        package = read(topology / "physical_package_id")
        packages.add(package)
        # The threads of a core name each other; numbers of cores may be the same in two clusters (A64FX, big.LITTLE).
        threads = read(topology / "core_cpus_list") or read(topology / "thread_siblings_list")
        places.add(threads or (package, read(topology / "core_id")))
    if not places:
        return Processor(name, 1, psutil.cpu_count(logical=False) or os.cpu_count() or 1)
    fast, small = (numbers(read(root / f"sys/devices/{kind}/cpus") or "") for kind in ("cpu_core", "cpu_atom"))
    if fast and small:
        name = f"{name or 'hybrid'}, {len(places) - len(small)} performance and {len(small)} efficiency cores"
    return Processor(name, len(packages), len(places))


def numbers(text: str) -> set[int]:
    """The numbers in the kernel's lists: `0-3,8` is 0, 1, 2, 3, 8."""
    ends = [part.partition("-") for part in text.split(",") if part]
    return {number for first, _, last in ends for number in range(int(first), int(last or first) + 1)}


def model_name(cpuinfo: str) -> str | None:
    """The processor's name in /proc/cpuinfo."""
    fields = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpuinfo.splitlines()) if value
    }
    name = fields.get("model name") or fields.get("cpu")
    if name:
        return re.sub(r"\s+", " ", name)
    parts = re.findall(r"^CPU implementer\s*: (\w+)$(?:.*\n)*?CPU part\s*: (\w+)$", cpuinfo, re.M)
    names = dict.fromkeys(ARM_PARTS.get(part) for part in parts)  # big.LITTLE has several
    return ", ".join(filter(None, names)) or None
