"""On each rank: which accelerators it sees, its own first, by names that are the same in every process of the node."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

from deeprc.doctor.probe.say import say


def main(patience: int, vendor: str, variable: str) -> None:
    """Look, and print; `variable` is the one that tells a rank its own."""
    signal.alarm(patience)
    told = os.environ.get(variable)
    found = {"nvidia": cuda, "amd": hip}.get(vendor, lambda: None)()
    entries = [entry for entry in (told or "").split(",") if entry]
    devices, by = (entries, variable) if found is None else found
    say(kind="gpus", host=socket.gethostname(), told=told, devices=devices, by=by)


def cuda() -> tuple[list[str], str] | None:
    """The UUIDs of NVIDIA's, slices of MIG included; None where the driver's library is not here."""
    library = load("libcuda.so.1")
    if library is None or library.cuInit(0) == 3:  # CUDA_ERROR_NOT_INITIALIZED: a stub
        return None
    count, uuid = ctypes.c_int(0), (ctypes.c_ubyte * 16)()
    library.cuDeviceGetCount(ctypes.byref(count))
    get = getattr(library, "cuDeviceGetUuid_v2", library.cuDeviceGetUuid)
    found = []
    for number in range(count.value):
        get(uuid, number)
        found.append(bytes(uuid).hex())
    return found, "UUID"


def hip() -> tuple[list[str], str] | None:
    """The PCI addresses of AMD's; None where ROCm's library is not here."""
    library = load("libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5")
    if library is None:
        return None
    count, address = ctypes.c_int(0), ctypes.create_string_buffer(64)
    library.hipGetDeviceCount(ctypes.byref(count))
    found = []
    for number in range(count.value):
        library.hipDeviceGetPCIBusId(address, len(address), number)
        found.append(address.value.decode())
    return found, "PCI address"


def load(*names: str) -> ctypes.CDLL | None:
    """The first of these libraries that is here."""
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
