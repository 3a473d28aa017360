"""Detection: on folders laid out as the kernel does, on what programs print, and on this machine's own libraries."""

import re
import sys
import time
from pathlib import Path

import pytest

from deeprc.sites.detect import accelerators, elf, launchers, mpi, nics, processor, scheduler, software
from deeprc.sites.detect.ask import ask


@pytest.fixture
def tree(tmp_path):
    """A function that writes files below a root and returns it; a value that begins with `->` is a link."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("->"):
                path.symlink_to(text[2:])
            else:
                path.write_text(text + "\n")
        return tmp_path

    return write


def verbs(name, driver, rate, layer="InfiniBand", state="4: ACTIVE"):
    base = f"sys/class/infiniband/{name}"
    return {
        f"{base}/device/driver": f"->/sys/bus/pci/drivers/{driver}",
        f"{base}/ports/1/rate": rate,
        f"{base}/ports/1/link_layer": layer,
        f"{base}/ports/1/state": state,
    }


def card(number, vendor, device, kind):
    base = f"sys/class/drm/card{number}/device"
    return {f"{base}/vendor": vendor, f"{base}/device": device, f"{base}/class": kind}


def test_slingshot_cards_with_the_speed_of_their_interfaces(tree):
    files = {f"sys/class/cxi/cxi{n}/device/vendor": "0x17db" for n in range(4)}
    root = tree(files | {f"sys/class/net/hsn{n}/speed": "200000" for n in range(4)})
    assert nics.nics(root) == [nics.Nic(f"cxi{n}", "slingshot", "cxi", 200) for n in range(4)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (verbs("mlx5_0", "mlx5_core", "400 Gb/sec (4X NDR)"), nics.Nic("mlx5_0", "infiniband", "mlx5", 400)),
        (verbs("mlx5_0", "mlx5_core", "100 Gb/sec (4X EDR)", "Ethernet"), nics.Nic("mlx5_0", "ethernet", "mlx5", 100)),
        (verbs("rdmap0s6", "efa", "100 Gb/sec (4X EDR)", "Unspecified"), nics.Nic("rdmap0s6", "efa", "efa", 100)),
        (verbs("hfi1_0", "hfi1", "100 Gb/sec (4X EDR)"), nics.Nic("hfi1_0", "omnipath", "psm2", 100)),
        (
            verbs("mlx5_1", "mlx5_core", "10 Gb/sec (4X SDR)", state="1: DOWN"),
            nics.Nic("mlx5_1", "infiniband", "mlx5", 10, active=False),
        ),
    ],
)
def test_cards_with_verbs(tree, files, expected):
    assert nics.nics(tree(files)) == [expected]


def test_ethernet_counts_where_there_is_nothing_better(tree):
    ethernet = {"sys/class/net/eno1/device/vendor": "0x8086", "sys/class/net/eno1/speed": "25000"}
    root = tree(ethernet | {"sys/class/net/lo/speed": "0", "sys/class/net/docker0/operstate": "up"})
    assert nics.nics(root) == [nics.Nic("eno1", "ethernet", "tcp", 25)]
    tree(verbs("mlx5_0", "mlx5_core", "200 Gb/sec (4X HDR)"))
    assert [nic.name for nic in nics.nics(root)] == ["mlx5_0"]


def test_amd_each_die_of_an_mi250x_is_one(tree):
    node = "sys/class/kfd/kfd/topology/nodes"
    files = {
        "dev/kfd": "",
        "sys/module/amdgpu/version": "6.3.6",
        f"{node}/0/properties": "cpu_cores_count 64\nsimd_count 0",
    }
    for number in range(1, 9):
        files[f"{node}/{number}/properties"] = "simd_count 440\ngfx_target_version 90010\nvendor_id 4098"
        files[f"{node}/{number}/mem_banks/0/properties"] = "heap_type 1\nsize_in_bytes 68702699520"
    found = accelerators.accelerators(tree(files))
    assert found == [accelerators.Accelerators("amd", "gfx90a", 8, "/sys/class/kfd", 69, "gfx90a", "6.3.6")]


@pytest.mark.parametrize(("number", "name"), [(90402, "gfx942"), (90010, "gfx90a"), (110000, "gfx1100"), (0, None)])
def test_the_names_of_amds_architectures(number, name):
    assert accelerators.gfx(number) == name


def test_nvidia_without_its_program(tree):
    files = {
        f"proc/driver/nvidia/gpus/0000:0{n}:00.0/information": "Model: \t\t NVIDIA A100-SXM4-40GB" for n in range(4)
    }
    files["proc/driver/nvidia/version"] = (
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build"
    )
    found = accelerators.accelerators(tree(files))
    assert [(one.vendor, one.model, one.count) for one in found] == [("nvidia", "NVIDIA A100-SXM4-40GB", 4)]
    assert accelerators.nvidia_driver("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Tue") == "535.161.08"


def test_nvidia_smi():
    found = accelerators.parse_nvidia_smi("NVIDIA H100 80GB HBM3, 81559, 535.161.08, 9.0\n" * 8)
    expected = accelerators.Accelerators("nvidia", "NVIDIA H100 80GB HBM3", 8, "nvidia-smi", 86, "sm_90", "535.161.08")
    assert found == [expected]
    assert accelerators.parse_nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate\n") == []


def test_intels_cards_for_computing_but_not_a_laptops_graphics(tree):
    root = tree(card(0, "0x8086", "0x0bd5", "0x038000") | card(1, "0x8086", "0x0bd5", "0x038000"))
    assert [(one.model, one.count) for one in accelerators.accelerators(root)] == [("Data Center GPU Max", 2)]


def test_a_laptop_has_no_accelerator(tree):
    assert accelerators.accelerators(tree(card(0, "0x8086", "0x9a49", "0x030000"))) == []


def test_sockets_and_cores_are_counted_without_hardware_threads(tree):
    files = {"proc/cpuinfo": "processor : 0\nmodel name\t: AMD EPYC 7763  64-Core Processor"}
    for cpu in range(256):
        base = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files |= {f"{base}/physical_package_id": str(cpu // 64 % 2), f"{base}/core_id": str(cpu % 64)}
    found = processor.processor(tree(files))
    assert found == processor.Processor("AMD EPYC 7763 64-Core Processor", 2, 128)


def test_processors_of_arm_have_numbers_for_names():
    assert processor.model_name("CPU implementer\t: 0x41\nCPU part\t: 0xd4f\n") == "Neoverse V2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MPI plugin types are...\n\tnone\n\tcray_shasta\n\tpmi2\n", ["cray", "pmi2"]),
        (
            "MPI plugin types are...\n\tcray_shasta\n\tpmix\n\tnone\n\tpmi2\nspecific pmix plugin versions available: "
            "pmix_v4\n",
            ["cray", "pmix", "pmi2"],
        ),
        ("srun: MPI types are...\nsrun: none\nsrun: openmpi\nsrun: pmi2\n", ["orte", "pmi2"]),
        ("", []),
    ],
)
def test_what_srun_speaks(text, expected):
    assert launchers.parse_srun_mpi(text) == expected


@pytest.mark.parametrize(
    ("path", "says", "launcher", "version"),
    [
        (
            "/x/bin/mpiexec",
            "HYDRA build details:\n    Version:                                 5.0.2\n",
            "mpiexec-hydra",
            "5.0.2",
        ),
        ("/x/bin/mpirun", "mpirun (Open MPI) 5.0.11\n\nReport bugs to", "mpirun-openmpi", "5.0.11"),
        (
            "/x/bin/mpirun",
            "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307",
            "mpirun-intelmpi",
            "2021.9",
        ),
        ("/opt/cray/pals/1.3/bin/mpiexec", "", "mpiexec-pals", None),
    ],
)
def test_launchers_by_what_they_say(path, says, launcher, version):
    found = launchers.what_it_is(path, says)
    assert (found.launcher, found.version) == (launcher, version)


def test_an_unknown_launcher_is_none():
    assert launchers.what_it_is("/x/bin/mpiexec", "my own script, version 3") is None


def test_this_environments_launcher_is_found():
    found = [one for one in launchers.launchers() if one.launcher == "mpiexec-hydra"]
    assert [Path(one.path).name for one in found] == ["mpiexec"] and found[0].version.startswith("5.")


def test_sinfo():
    text = "batch|9408|64|512000|(null)|infinite\ngpu|12|128|256000|gpu:a100:4(S:0-3)|2-00:00:00\n"
    text += "gpu|2|64|128000|(null)|1:00\n"
    assert scheduler.parse_sinfo(text) == [
        scheduler.Queue("batch", 9408, 64, 536870, None),
        scheduler.Queue("gpu", 12, 128, 268435, "gpu:a100:4(S:0-3)"),
    ]


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("MPICH Version:      5.0.2\nMPICH Release date: Fri", ("mpich", "5.0.2", None)),
        (
            "MPI VERSION    : CRAY MPICH version 8.1.28.15 (ANL base 3.4a2)\nMPI BUILD INFO : Wed",
            ("cray-mpich", "8.1.28.15", "3.4"),
        ),
        ("Intel(R) MPI Library 2021.9 for Linux* OS\n", ("intel-mpi", "2021.9", None)),
        ("MVAPICH2 Version      : 2.3.7\nMVAPICH2 Release date", ("mvapich", "2.3.7", None)),
        ("Open MPI v5.0.11, package: Open MPI user@localhost Distribution", ("openmpi", "5.0.11", None)),
        ("a library of my own", (None, None, None)),
    ],
)
def test_mpis_by_what_they_say(says, expected):
    assert mpi.what_it_is(says) == expected


def test_the_mpi_of_this_environment_is_asked():
    found = {library.soname: library for library in mpi.mpi_libraries({"PATH": ""})}
    ours = found["libmpi.so.12"]
    assert (ours.implementation, ours.family) == ("mpich", "mpich") and ours.version.startswith("5.")
    assert found["libmpi_abi.so.1"].family == "mpi-abi"
    assert all(library.soname for library in found.values())  # libmpi.so, a script of the linker's, is left out


def test_a_library_that_ends_its_process_does_no_harm(tmp_path):
    """Any library but an MPI: it is loaded in another process, and has no answer."""
    loaded = re.search(r"\S+/libc\.so\.6$", Path("/proc/self/maps").read_text(), re.M).group()
    (tmp_path / "libmpi.so.12").symlink_to(loaded)
    found = mpi.examine(tmp_path / "libmpi.so.12")
    assert (found.soname, found.implementation, found.family) == ("libc.so.6", None, None)


def test_sonames_are_read_from_the_file(tmp_path):
    loaded = re.search(r"\S+/libc\.so\.6$", Path("/proc/self/maps").read_text(), re.M).group()
    assert elf.soname(Path(loaded)) == "libc.so.6"
    assert elf.soname(Path(sys.executable).resolve()) is None
    for content in (b"", b"INPUT(libmpi.so.12)", b"\x7fELF\x02\x01" + bytes(20)):
        (tmp_path / "x").write_bytes(content)
        assert elf.soname(tmp_path / "x") is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LMOD_CMD": "/usr/share/lmod/lmod/libexec/lmod", "LMOD_VERSION": "8.7.32"}, ("lmod", "8.7.32")),
        ({"MODULES_CMD": "/usr/lib/modulecmd.tcl"}, ("tcl", None)),
    ],
)
def test_the_modules_of_this_shell(environment, expected, tmp_path):
    found = software.modules_system(environment, tmp_path)
    assert (found.name, found.version) == expected


def test_modules_that_are_installed_only_and_none_at_all(tmp_path):
    assert software.modules_system({}, tmp_path) is None
    (tmp_path / "usr/share/lmod").mkdir(parents=True)
    assert software.modules_system({}, tmp_path).name == "lmod"


def test_a_program_that_does_not_answer_is_not_waited_for():
    began = time.monotonic()
    assert ask(["sleep", "30"], patience=0.3) is None
    assert time.monotonic() - began < 10
    assert ask(["false"]) is None and ask(["no-such-program-here"]) is None and ask(["echo", "x"]) == "x\n"
