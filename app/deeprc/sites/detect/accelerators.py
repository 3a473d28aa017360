"""Accelerators and their driver: asked from the vendor's program, else read from the kernel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from deeprc.core.ask import ask, folders, read

ROOT = Path("/")
NVIDIA_QUERY = ["nvidia-smi", "--format=csv,noheader,nounits"]
NVIDIA_QUERY += ["--query-gpu=name,memory.total,driver_version,compute_cap"]
INTEL, DISPLAY = "0x8086", "0x0380"  # PCI vendor; class "display controller" (graphics cards are 0x0300)
INTEL_MAX = {f"0x{number:04x}" for number in range(0x0BD0, 0x0BDC)}  # Data Center GPU Max


@dataclass(frozen=True)
class Accelerators:
    """Accelerators of one model. `arch` is what compilers call it, `memory_gb` that of one, `how` who told."""

    vendor: str
    model: str
    count: int
    how: str
    memory_gb: int | None = None
    arch: str | None = None
    driver: str | None = None


def accelerators(root: Path = ROOT) -> list[Accelerators]:
    """All accelerators of this machine; empty where there are none."""
    return [*_nvidia(root), *_amd(root), *_intel(root)]


def _nvidia(root: Path) -> list[Accelerators]:
    if root == ROOT and (text := ask(NVIDIA_QUERY)):
        return parse_mig(ask(["nvidia-smi", "-L"]) or "", parse_nvidia_smi(text))
    names = [
        match.group(1).strip()
        for gpu in folders(root / "proc/driver/nvidia/gpus")
        if (match := re.search(r"^Model:(.+)$", read(gpu / "information") or "", re.M))
    ]
    driver = nvidia_driver(read(root / "proc/driver/nvidia/version") or "")
    return _counted("nvidia", ((name, None, None) for name in names), driver, "/proc/driver/nvidia")


def parse_nvidia_smi(text: str) -> list[Accelerators]:
    """The answer to NVIDIA_QUERY: a line for each, `name, MiB, driver, compute capability`."""
    rows, driver = [], None
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 4:
            continue
        name, mebibytes, driver, capability = fields
        memory = round(int(mebibytes) * 2**20 / 10**9) if mebibytes.isdigit() else None
        arch = f"sm_{capability.replace('.', '')}" if re.fullmatch(r"\d+\.\d+", capability) else None
        rows.append((name, memory, arch))
    return _counted("nvidia", rows, driver, "nvidia-smi")


def parse_mig(text: str, whole: list[Accelerators]) -> list[Accelerators]:
    """`nvidia-smi -L`: where accelerators are sliced (MIG), their slices stand for them: ranks see nothing else."""
    slices: Counter[tuple[str, str]] = Counter()
    model, number, cut = "", "", set()
    for line in text.splitlines():
        if match := re.match(r"GPU (\d+): (.+?) \(UUID", line):
            number, model = match.groups()
        elif match := re.match(r"\s+MIG (\S+)\s+Device", line):
            slices[model, match.group(1)] += 1
            cut.add((number, model))
    sliced = Counter(model for _, model in cut)  # others of the model may be whole
    left = [replace(card, count=card.count - sliced[card.model]) for card in whole]
    found = [card for card in left if card.count > 0]
    for (model, profile), count in slices.items():
        card = next((one for one in whole if one.model == model), Accelerators("nvidia", model, 0, "nvidia-smi"))
        memory = re.search(r"(\d+)gb", profile)
        gigabytes = int(memory.group(1)) if memory else None
        found.append(replace(card, model=f"{model} MIG {profile}", count=count, memory_gb=gigabytes))
    return found


def nvidia_driver(text: str) -> str | None:
    """The driver's version in /proc/driver/nvidia/version."""
    match = re.search(r"Kernel Module[^\d]*(\d+(?:\.\d+)+)", text)
    return match.group(1) if match else None


def _amd(root: Path) -> list[Accelerators]:
    """AMD's, from the kernel's driver for them (KFD): a node with SIMD units is one, and a GCD of an MI250X is one."""
    if not (root / "dev/kfd").exists():
        return []
    driver = read(root / "sys/module/amdgpu/version")
    text = ask(["amd-smi", "static", "--asic"]) or ask(["rocm-smi", "--showproductname"]) if root == ROOT else None
    told = parse_amd(text or "")
    rows = []
    for node in folders(root / "sys/class/kfd/kfd/topology/nodes"):
        facts = dict(line.split(maxsplit=1) for line in (read(node / "properties") or "").splitlines() if " " in line)
        if int(facts.get("simd_count", 0)) == 0:
            continue
        banks = [read(bank / "properties") or "" for bank in folders(node / "mem_banks")]
        sizes = [int(match.group(1)) for bank in banks if (match := re.search(r"size_in_bytes (\d+)", bank))]
        arch = gfx(int(facts.get("gfx_target_version", 0)))
        name = told[len(rows)][0] if len(rows) < len(told) else arch or "AMD"
        rows.append((name, round(sum(sizes) / 10**9) or None, arch))
    if rows:
        return _counted("amd", rows, driver, "/sys/class/kfd")
    return _counted("amd", ((name, None, arch) for name, arch in told), driver, "amd-smi or rocm-smi")


def gfx(number: int) -> str | None:
    """`90010` is gfx90a: two decimal digits each for minor and stepping, which compilers write in hexadecimal."""
    return f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}" if number else None


def parse_amd(text: str) -> list[tuple[str, str | None]]:
    """Names and architectures in `amd-smi static --asic` or `rocm-smi --showproductname`, in the order of devices."""
    names = re.findall(r"(?:market.name|card series):\s*(\S.*?)\s*$", text, re.M | re.I)
    archs = re.findall(r"(?:target_graphics_version|gfx version):\s*(gfx\w+)", text, re.I)
    # Some rocm-smi write the stepping in decimal: gfx9010 is gfx90a (ROCm/rocm_smi_lib#159).
    archs = [re.sub(r"^(gfx9\d)(1[0-5])$", lambda match: f"{match[1]}{int(match[2]):x}", arch) for arch in archs]
    return [(name, archs[n] if len(archs) == len(names) else None) for n, name in enumerate(names)]


def _intel(root: Path) -> list[Accelerators]:
    """Intel's cards for computing; the graphics of a laptop's processor is none."""
    rows, driver = [], None
    for device in folders(root / "sys/class/drm", "card[0-9]*/device"):
        number = (read(device / "device") or "").lower()
        compute = (read(device / "class") or "").startswith(DISPLAY) or number in INTEL_MAX
        if read(device / "vendor") == INTEL and compute:
            rows.append(("Data Center GPU Max" if number in INTEL_MAX else f"Intel {number}", None, None))
            name = (device / "driver").resolve().name
            driver = read(root / f"sys/module/{name}/version") or driver
    if root == ROOT and rows:
        for command, parse in ((["sycl-ls"], parse_sycl_ls), (["xpu-smi", "discovery"], parse_xpu_smi)):
            if names := parse(ask(command) or ""):
                return _counted("intel", ((name, None, None) for name in names), driver, command[0])
    return _counted("intel", rows, driver, "/sys/class/drm")


def parse_sycl_ls(text: str) -> list[str]:
    """Level Zero's devices in `sycl-ls`, as ranks see them: a tile of an Intel Max is one, unless told otherwise.

    `[level_zero:gpu][level_zero:0] Intel(R) Level-Zero, Intel(R) Data Center GPU Max 1550 1.3 [1.3.29735]`; before 2024
    `[ext_oneapi_level_zero:gpu:0] …`.
    """
    names = re.findall(r"^\s*\[(?:ext_oneapi_)?level_zero:gpu.*?, (Intel\(R\) .+?) [\d.]+ \[[\d.+]+\]\s*$", text, re.M)
    return [name for name in names if not re.search(r"UHD|Iris|HD Graphics", name)]


def parse_xpu_smi(text: str) -> list[str]:
    """The cards in `xpu-smi discovery`; `xpu-smi discovery -d` shows their tiles."""
    return [match.strip(" |") for match in re.findall(r"Device Name:\s*(.+)$", text, re.M)]


def _counted(vendor: str, rows: Iterable[tuple], driver: str | None, how: str) -> list[Accelerators]:
    return [
        Accelerators(vendor, name, count, how, memory, arch, driver)
        for (name, memory, arch), count in Counter(rows).items()
    ]
