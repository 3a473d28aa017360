"""Processors, on folders laid out as the kernel does."""

from deeprc.sites.detect import processor


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
