"""What accelerators are called in batch systems: whose they are, and what compilers call them."""

from __future__ import annotations

# NVIDIA's table of compute capabilities, LLVM's of AMDGPU processors. What stands last names a maker only.
TYPES = (
    ("p100", "nvidia", "sm_60"), ("v100", "nvidia", "sm_70"), ("t4", "nvidia", "sm_75"), ("a100", "nvidia", "sm_80"),
    ("a30", "nvidia", "sm_80"), ("a40", "nvidia", "sm_86"), ("a10", "nvidia", "sm_86"), ("a6000", "nvidia", "sm_86"),
    ("l40", "nvidia", "sm_89"), ("l4", "nvidia", "sm_89"), ("h100", "nvidia", "sm_90"), ("h200", "nvidia", "sm_90"),
    ("gh200", "nvidia", "sm_90"), ("b200", "nvidia", "sm_100"), ("gb200", "nvidia", "sm_100"),
    ("mi50", "amd", "gfx906"), ("mi100", "amd", "gfx908"), ("mi210", "amd", "gfx90a"), ("mi250", "amd", "gfx90a"),
    ("mi300", "amd", "gfx942"), ("mi325", "amd", "gfx942"), ("mi35", "amd", "gfx950"),
    ("pvc", "intel", None), ("max1", "intel", None),
    ("tesla", "nvidia", None), ("nvidia", "nvidia", None), ("instinct", "amd", None),
)  # fmt: skip
GRACE = ("gh200", "gb200")  # their processors are NVIDIA's own, of Arm's architecture


def known(kind: str) -> tuple[str, str | None] | None:
    """Vendor and architecture of what a batch system calls so; None where that says nothing."""
    fitting = [(vendor, arch) for word, vendor, arch in sorted(TYPES, key=_specific) if word in kind]
    return fitting[0] if fitting else None


def _specific(one: tuple[str, str, str | None]) -> tuple[bool, int]:
    return one[2] is None, -len(one[0])
