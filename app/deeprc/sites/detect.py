"""What this machine has, as far as this process may use it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may use: the affinity mask, cut to the control group's quota where one is set."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))


def memory_mb() -> int:
    """Memory that this process may use, MB: the machine's, cut to the control group's limit where one is set."""
    total = psutil.virtual_memory().total
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
    except OSError:
        limit = "max"
    return (total if limit == "max" else min(total, int(limit))) // 10**6


def architecture() -> str:
    """The processor's architecture, as image labels name it."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
