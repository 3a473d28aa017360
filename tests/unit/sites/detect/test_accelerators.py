"""Accelerators, on folders laid out as the kernel does, and on what vendors' programs print."""

import pytest

from deeprc.sites.detect import accelerators


def card(number, vendor, device, kind):
    base = f"sys/class/drm/card{number}/device"
    return {f"{base}/vendor": vendor, f"{base}/device": device, f"{base}/class": kind}


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
