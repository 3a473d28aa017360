"""What the doctor says of ranks and their accelerators."""

import subprocess

import pytest

from deeprc.doctor.gpus import judge
from deeprc.doctor.probe import gpus
from deeprc.doctor.probe.say import heard


def rank(*devices: str, host: str = "n1") -> dict:
    return {"host": host, "told": ",".join(devices), "devices": list(devices), "by": "UUID"}


@pytest.mark.parametrize(
    ("said", "seen", "status", "text"),
    [
        ([rank("a"), rank("b")], 1, "ok", "2 ranks use 2 accelerators, each its own (UUID), and see 1"),
        ([rank("a", "b"), rank("b", "a")], 2, "ok", "2 ranks use 2 accelerators, each its own (UUID), and see 2"),
        ([rank("a"), rank("a", host="n2")], 1, "ok", "2 ranks use 2 accelerators, each its own (UUID), and see 1"),
        ([rank("a", "b"), rank("a", "b")], 1, "failed",
         "2 ranks on n1 use the same accelerator (UUID a); 1 are used by 2 ranks"),
        ([rank("a"), rank("b")], 2, "warning", "each rank uses another one, but sees 1 instead of 2 (on n1, told a)"),
        ([rank("a"), rank()], 1, "failed", "1 of 2 ranks see no accelerator, or fewer than 1 (on n1, told nothing)"),
        ([rank("a")], 1, "failed", "1 of 2 ranks have told"),
    ],
)  # fmt: skip
def test_each_rank_has_its_own(said, seen, status, text):
    found = judge(said, ranks=2, each=1, seen=seen, comm="ccl", line="srun …")
    assert (found.status, found.text) == (status, text)
    assert bool(found.fix) == (status != "ok" and len(said) == 2)


# What `nvidia-smi -L` and `amd-smi list` say of real machines: DataDog/datadog-agent#33120 (an A100 and a slice of it),
# ROCm/rocm-systems#3654 (an MI210). No GPU is here: stand-ins tell these, and are called as the real libraries are.
UUIDS = ["7fdaf0a5-179b-f636-d15d-daf243e3ff16", "feb88891-0321-5fef-9c87-d4af3b54259e"]
CUDA = """
#include <string.h>
static const unsigned char uuids[2][16] = {%s};
int cuInit(unsigned flags) { return %d; }
int cuDeviceGetCount(int *count) { *count = %d; return 0; }
int cuDeviceGetUuid(void *uuid, int device) { memset(uuid, 0, 16); return 0; }  /* of a slice: its GPU's */
int cuDeviceGetUuid_v2(void *uuid, int device) { memcpy(uuid, uuids[device], 16); return 0; }
"""
HIP = """
#include <string.h>
int hipGetDeviceCount(int *count) { *count = 2; return 0; }
int hipDeviceGetPCIBusId(char *id, int length, int device) {
    strncpy(id, device ? "0000:26:00.0" : "0000:23:00.0", length); return 0; }
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A function that compiles a library and has the probe load it by the name of the real one."""

    def build(name, text):
        source, made = tmp_path / "library.c", tmp_path / name
        source.write_text(text)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(made), str(source)], check=True, timeout=60)
        real = gpus.load
        monkeypatch.setattr(gpus, "load", lambda *names: real(*(str(made) if one == name else one for one in names)))

    return build


@pytest.mark.parametrize(
    ("ready", "count", "expected"),
    [
        (0, 2, ([uuid.replace("-", "") for uuid in UUIDS], "UUID")),
        (100, 0, ([], "UUID")),  # CUDA_ERROR_NO_DEVICE
        (3, 2, None),  # a stub
    ],
)
def test_the_uuids_of_nvidias(library, ready, count, expected):
    lines = [", ".join(map(str, bytes.fromhex(uuid.replace("-", "")))) for uuid in UUIDS]
    rows = ", ".join(f"{{{line}}}" for line in lines)
    library("libcuda.so.1", CUDA % (rows, ready, count))
    assert gpus.cuda() == expected


def test_the_pci_addresses_of_amds(library, capfd):
    library("libamdhip64.so.6", HIP)
    assert gpus.hip() == (["0000:23:00.0", "0000:26:00.0"], "PCI address")
    gpus.main(60, "amd", "ROCR_VISIBLE_DEVICES")
    (said,) = heard(capfd.readouterr().out)
    assert (said["devices"], said["by"]) == (["0000:23:00.0", "0000:26:00.0"], "PCI address")


def test_without_a_library_that_knows_names_the_variable_counts(capfd, monkeypatch):
    monkeypatch.setenv("ZE_AFFINITY_MASK", "1,0")
    gpus.main(60, "intel", "ZE_AFFINITY_MASK")
    (said,) = heard(capfd.readouterr().out)
    assert (said["devices"], said["by"], said["told"]) == (["1", "0"], "ZE_AFFINITY_MASK", "1,0")
