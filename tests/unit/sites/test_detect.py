"""Detection: on folders laid out as the kernel does, on what programs print, and on this machine's own libraries."""

import re
import sys
import time
from pathlib import Path

import pytest

from deeprc.core.ask import ask
from deeprc.sites.detect import accelerators, elf, launchers, mpi, nics, processor, software


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
        # `ibv_devinfo` of Intel's E810 and Google's Falcon says irdma0, of Broadcom's bnxt_re0: neither is Mellanox's.
        (verbs("irdma0", "irdma", "200 Gb/sec (2X NDR)", "Ethernet"), nics.Nic("irdma0", "ethernet", "verbs", 200)),
        (
            verbs("bnxt_re0", "bnxt_en", "400 Gb/sec (4X NDR)", "Ethernet"),
            nics.Nic("bnxt_re0", "ethernet", "verbs", 400),
        ),
        (
            verbs("rocep65s0f0", "mlx5_core", "100 Gb/sec (4X EDR)", "Ethernet"),
            nics.Nic("rocep65s0f0", "ethernet", "mlx5", 100),
        ),
        (
            verbs("mlx5_1", "mlx5_core", "10 Gb/sec (4X SDR)", state="1: DOWN"),
            nics.Nic("mlx5_1", "infiniband", "mlx5", 10, active=False),
        ),
    ],
)
def test_cards_with_verbs(tree, files, expected):
    assert nics.nics(tree(files)) == [expected]


def test_rdma_made_by_software_is_no_card(tree):
    root = tree(
        {"sys/class/infiniband/rxe0/ports/1/link_layer": "Ethernet", "sys/class/net/eno1/device/vendor": "0x8086"}
    )
    assert nics.nics(root) == [nics.Nic("eno1", "ethernet", "tcp", None)]


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


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (
            "rocm-smi 6, system identity of an MI300X",
            "GPU[0]          : Card Series: AMD Instinct MI300X\nGPU[0]          : Card Model: 0x74a1\n"
            "GPU[0]          : Card Vendor: Advanced Micro Devices, Inc. [AMD/ATI]\n"
            "GPU[0]          : GFX Version: gfx942\n",
            [("AMD Instinct MI300X", "gfx942")],
        ),
        (
            "rocm-smi 5",
            "GPU[0]          : Card series:      AMD Radeon RX 6800 XT\n"
            "GPU[1]          : Card series:      AMD Radeon RX 7900 XTX\n",
            [("AMD Radeon RX 6800 XT", None), ("AMD Radeon RX 7900 XTX", None)],
        ),
        (
            "amd-smi static --asic, ROCm documentation",
            "GPU: 0\n    ASIC:\n        MARKET_NAME: AMD Instinct MI300A\n        VENDOR_ID: 0x1002\n"
            "        NUM_COMPUTE_UNITS: 228\n        TARGET_GRAPHICS_VERSION: gfx942\n    BUS:\n",
            [("AMD Instinct MI300A", "gfx942")],
        ),
        (
            "amd-smi, ROCm/rocm-systems#2987: an MI350X",
            "GPU: 0\n    ASIC:\n        MARKET_NAME: AMD Instinct MI350X\n        VENDOR_ID: 0x1002\n"
            "        VENDOR_NAME: Advanced Micro Devices Inc. [AMD/ATI]\n        SUBVENDOR_ID: 0x1002\n"
            "        DEVICE_ID: 0x75a0\n        OAM_ID: 6\n        NUM_COMPUTE_UNITS: 128\n"
            "        TARGET_GRAPHICS_VERSION: gfx950\n        FLAGS: 16\n    BUS:\n        BDF: 0000:05:00.0\n",
            [("AMD Instinct MI350X", "gfx950")],
        ),
        (
            "rocm-smi, ROCm/rocm_smi_lib#159: an MI250X whose architecture is written in decimal",
            "GPU[0]\t\t: Card Series: \t\tAMD INSTINCT MI200 (MCM) OAM LC MBA HPE C2\n"
            "GPU[0]\t\t: GFX Version: \t\tgfx9010\n",
            [("AMD INSTINCT MI200 (MCM) OAM LC MBA HPE C2", "gfx90a")],
        ),
        (
            "rocm-smi 4.0, ROCm/legacy-rocm-build#1351: an MI100 without a name",
            "GPU[0]\t\t: Card series: \t\t0x738c\nGPU[0]\t\t: Card model: \t\t0xc34\n",
            [("0x738c", None)],
        ),
        (
            "amd-smi, a name with a colon in it",
            "GPU: 0\n    ASIC:\n        MARKET_NAME: AMD Instinct MI300X OAM: 750W SKU\n",
            [("AMD Instinct MI300X OAM: 750W SKU", None)],
        ),
        ("no answer", "", []),
    ],
)
def test_what_amds_programs_say(source, text, expected):
    assert accelerators.parse_amd(text) == expected


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (
            "users' notes, oneAPI 2024: two tiles of one card",
            "[opencl:cpu][opencl:3] Intel(R) OpenCL, Intel(R) Xeon(R) Platinum 8360Y CPU @ 2.40GHz OpenCL 3.0\n"
            "[level_zero:gpu][level_zero:0] Intel(R) Level-Zero, Intel(R) Data Center GPU Max 1550 1.3 [1.3.29735]\n"
            "[level_zero:gpu][level_zero:1] Intel(R) Level-Zero, Intel(R) Data Center GPU Max 1550 1.3 [1.3.29735]\n",
            ["Intel(R) Data Center GPU Max 1550"] * 2,
        ),
        (
            "oneAPI 2023",
            "[opencl:gpu:2] Intel(R) OpenCL Graphics, Intel(R) Data Center GPU Max 1550 3.0 [23.22.26516.25]\n"
            "[ext_oneapi_level_zero:gpu:0] Intel(R) Level-Zero, Intel(R) Data Center GPU Max 1550 1.3 [1.3.26516]\n",
            ["Intel(R) Data Center GPU Max 1550"],
        ),
        (
            "a report of oneAPI 2025 on Max 1100",
            "[level_zero:gpu][level_zero:0] Intel(R) oneAPI Unified Runtime over Level-Zero, "
            "Intel(R) Data Center GPU Max 1100 12.60.7 [1.3.26918]\n",
            ["Intel(R) Data Center GPU Max 1100"],
        ),
        (
            "a processor's graphics is none",
            "[level_zero:gpu][level_zero:1] Intel(R) Level-Zero, Intel(R) UHD Graphics 770 1.6 [1.3.31294]\n",
            [],
        ),
    ],
)
def test_what_sycl_ls_says(source, text, expected):
    assert accelerators.parse_sycl_ls(text) == expected


def test_xpu_smi():
    """Intel's documents: `xpu-smi discovery`."""
    text = (
        "+-----------+--------------------------------------------------+\n"
        "| Device ID | Device Information                               |\n"
        "| 0         | Device Name: Intel(R) Data Center GPU Flex 170   |\n"
        "|           | Vendor Name: Intel(R) Corporation                |\n"
    )
    assert accelerators.parse_xpu_smi(text) == ["Intel(R) Data Center GPU Flex 170"]


def test_slices_stand_for_the_accelerator_that_is_cut():
    """`nvidia-smi -L`, in the form of NVIDIA's MIG user guide."""
    whole = accelerators.parse_nvidia_smi("NVIDIA A100-SXM4-40GB, 40960, 535.129.03, 8.0\n")
    text = (
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)\n"
        "  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)\n"
        "  MIG 1g.5gb      Device  2: (UUID: MIG-f372e541-7a7d-5c2f-8b66-1a1c2b3d4e5f)\n"
    )
    found = [(one.model, one.count, one.memory_gb, one.arch) for one in accelerators.parse_mig(text, whole)]
    assert found == [
        ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", 1, 20, "sm_80"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 2, 5, "sm_80"),
    ]
    assert accelerators.parse_mig("GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5b)\n", whole) == whole


def test_whole_accelerators_beside_a_sliced_one():
    """`nvidia-smi -L` of influxdata/telegraf#5812: one of four is cut."""
    text = (
        "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-513536b6-7d19-9063-b049-1e69664bb298)\n"
        "  MIG 1g.20gb     Device  0: (UUID: MIG-ce861fb0-a248-58ce-a9a8-f9adbc22a66a)\n"
        "  MIG 1g.20gb     Device  1: (UUID: MIG-a45882f0-9215-5733-a0c1-49286ab31cb5)\n"
        "GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-d8594bd4-0fc3-8595-e355-7c98138f3b95)\n"
        "GPU 2: NVIDIA A100-SXM4-80GB (UUID: GPU-5e375e7e-b41f-155b-dcdc-534524c356fc)\n"
        "GPU 3: NVIDIA A100-SXM4-80GB (UUID: GPU-69ec2344-ebac-b028-f88f-452abb3d7f11)\n"
    )
    cards = accelerators.parse_nvidia_smi("NVIDIA A100-SXM4-80GB, 81920, 535.129.03, 8.0\n" * 4)
    found = [(one.model, one.count, one.memory_gb) for one in accelerators.parse_mig(text, cards)]
    assert found == [("NVIDIA A100-SXM4-80GB", 3, 86), ("NVIDIA A100-SXM4-80GB MIG 1g.20gb", 2, 20)]


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


def cpus(places):
    """The kernel's topology: for each processor its package, number of core, and the threads of that core."""
    base = "sys/devices/system/cpu/cpu{}/topology"
    return {
        f"{base.format(cpu)}/{name}": value
        for cpu, values in enumerate(places)
        for name, value in zip(("physical_package_id", "core_id", "core_cpus_list"), values, strict=True)
    }


def test_cores_of_two_clusters_may_have_the_same_number(tree):
    """A64FX: four groups of twelve cores, numbered anew in each."""
    files = cpus([("0", str(cpu % 12), str(cpu)) for cpu in range(48)])
    files["proc/cpuinfo"] = "processor\t: 0\nCPU implementer\t: 0x46\nCPU architecture: 8\nCPU part\t: 0x001\n"
    assert processor.processor(tree(files)) == processor.Processor("Fujitsu A64FX", 1, 48)


def test_hybrid_cores_are_told_apart(tree):
    """A Core i9-12900 as the kernel lays it out: eight cores of two threads, eight of one (cpu_core, cpu_atom)."""
    files = cpus([("0", str(cpu // 2), f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}") for cpu in range(16)])
    files |= {
        f"sys/devices/system/cpu/cpu{cpu}/topology/{name}": value
        for cpu in range(16, 24)
        for name, value in (("physical_package_id", "0"), ("core_id", str(cpu)), ("core_cpus_list", str(cpu)))
    }
    files |= {"sys/devices/cpu_core/cpus": "0-15", "sys/devices/cpu_atom/cpus": "16-23"}
    files["proc/cpuinfo"] = "model name\t: 12th Gen Intel(R) Core(TM) i9-12900"
    name = "12th Gen Intel(R) Core(TM) i9-12900, 8 performance and 8 efficiency cores"
    assert processor.processor(tree(files)) == processor.Processor(name, 1, 16)


def test_grace_is_told_by_its_system_on_a_chip(tree):
    """Its cores are those of Graviton 4 and Axion. 0x036b0241 in the kernel's drivers/irqchip/irq-gic-v3.c."""
    files = cpus([(str(cpu // 72), str(cpu % 72), str(cpu)) for cpu in range(144)])
    files["proc/cpuinfo"] = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\n"
    assert processor.processor(tree(files)) == processor.Processor("Neoverse V2", 2, 144)
    tree({"sys/devices/soc0/soc_id": "jep106:036b:0241"})
    assert processor.processor(tree({})) == processor.Processor("NVIDIA Grace", 2, 144)


def test_processors_of_arm_have_numbers_for_names():
    assert processor.model_name("CPU implementer\t: 0x41\nCPU part\t: 0xd4f\n") == "Neoverse V2"


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (
            "Slurm 22.05 and later, users' notes",
            "MPI plugin types are...\n\tcray_shasta\n\tnone\n\tpmi2\n",
            ["cray", "pmi2"],
        ),
        (
            "STEllAR-GROUP/hpx#6538",
            "MPI plugin types are...\n        none\n        cray_shasta\n        pmi2\n        pmix\n"
            "specific pmix plugin versions available: pmix_v3\n",
            ["cray", "pmi2", "pmix"],
        ),
        (
            "aws-parallelcluster's test of PMIx (on standard error)",
            "srun: MPI types are...\nsrun: none\nsrun: openmpi\nsrun: pmi2\nsrun: pmix\nsrun: pmix_v3\n",
            ["orte", "pmi2", "pmix"],
        ),
        (
            "HiPerGator, users' notes",
            "srun: MPI types are...  \nsrun: pmix_v3\nsrun: pmi2\nsrun: none\nsrun: pmix_v1\n"
            "srun: pmix\nsrun: cray_shasta\n",
            ["pmix", "pmi2", "cray"],
        ),
        (
            "Biowulf, CANDLE's set-up (Slurm 16)",
            "srun: MPI types are...\nsrun: mpi/mpich1_p4\nsrun: mpi/mpichmx\nsrun: mpi/none\n"
            "srun: mpi/openmpi\nsrun: mpi/pmi2\n",
            ["orte", "pmi2"],
        ),
        ("no answer", "", []),
    ],
)
def test_what_srun_speaks(source, text, expected):
    assert launchers.parse_srun_mpi(text) == expected


@pytest.mark.parametrize("stream", [1, 2])
def test_srun_is_understood_on_either_stream(tmp_path, stream):
    program = tmp_path / "srun"
    program.write_text(
        '#!/bin/bash\n[ "$1" = --version ] && echo "slurm 20.11.9" && exit\n'
        f'printf "srun: MPI types are...\\nsrun: none\\nsrun: pmi2\\n" >&{stream}\n'
    )
    program.chmod(0o755)
    expected = launchers.LauncherProgram("srun", str(program), "20.11.9", ("pmi2",))
    assert launchers.examine(str(program)) == expected


def test_a_launcher_of_this_environment_is_known_as_one():
    (ours,) = [one for one in launchers.launchers() if one.launcher == "mpiexec-hydra"]
    assert ours.own


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
