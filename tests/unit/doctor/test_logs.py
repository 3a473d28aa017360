"""Providers from logs. UCX_SHM, UCX_TCP, FI_TCP and OPENMPI are excerpts of runs on this project's test machine; those
with a network in them, and those of NCCL and Intel MPI, for which it lacks the hardware, are in the libraries' formats.
"""

import pytest

from deeprc.doctor.logs import judge_provider, uses

# ruff: noqa: E501  lines of logs are as long as they are
UCX_SHM = """
[1795569465.653043] [vm:6105 :0]     ucp_context.c:2463 UCX  INFO  Version 1.20.1 (loaded from lib/mpich/libucp.so.0)
[1795569465.666361] [vm:6105 :0]      ucp_worker.c:1912 UCX  INFO    ucp_context_0 self cfg#0 tag(self/memory cma/memory)  rma(self/memory)  am(self/memory cma/memory)
[1795569465.689007] [vm:6105 :0]      ucp_worker.c:1912 UCX  INFO    ucp_context_0 intra-node cfg#1 tag(sysv/memory cma/memory)  rma(sysv/memory posix/memory)  am(sysv/memory cma/memory)
"""
UCX_TCP = """
[1795569484.629503] [vm:6714 :0]          parser.c:2364 UCX  INFO  UCX_* env variables: UCX_TLS=tcp,self UCX_LOG_LEVEL=info
[1795569484.634004] [vm:6714 :0]      ucp_worker.c:1912 UCX  INFO    ucp_context_0 self cfg#0 tag(self/memory tcp/eth0)  rma(self/memory)  am(self/memory tcp/eth0)
[1795569484.642251] [vm:6714 :0]      ucp_worker.c:1912 UCX  INFO    ucp_context_0 intra-node cfg#1 tag(tcp/eth0)  rma_am(tcp/eth0)  am(tcp/eth0)
"""
UCX_IB = UCX_SHM + UCX_TCP.splitlines()[-1].replace("intra-node", "inter-node").replace("tcp/eth0", "rc_mlx5/mlx5_0:1")
UCX_OTHER = UCX_SHM + UCX_TCP.splitlines()[-1].replace("intra-node", "inter-node")
UCX_LANES = UCX_IB.replace("tag(rc_mlx5/mlx5_0:1)", "tag(rc_mlx5/mlx5_0:1 tcp/ib0)")
UCX_OLD = "[1660000000.100] [n1:77   :0]     ucp_worker.c:1720 UCX  INFO  ep_cfg[2]: tag(dc_mlx5/mlx5_0:1);"
FI_TCP = """
libfabric:6733:1795569485:ofi_rxm:core:core:fi_getinfo_():1384<info> fi_getinfo: provider udp returned -61 (No data available)
libfabric:6733:1795569485::core:core:ofi_register_provider():526<info> registering provider: shm (205.10)
libfabric:6733:1795569485::core:core:fi_fabric_():1588<info> Opened fabric: 192.0.2.0/24
libfabric:6733:1795569485::core:core:fi_fabric_():1595<info> Using sockets provider 2.5, path:lib/mpich/libfabric.so.1
"""
FI_CXI = FI_TCP.replace("sockets provider", "cxi provider")
FI_OLD = "libfabric:81:1650000000::core:core:fi_fabric_():1501<info> Opened fabric: cxi"
OPENMPI = """
[vm:31001] select: initializing btl component self
[vm:31001] select: init of component self returned success
[vm:31001] select: init of component sm returned success
[vm:31001] select: init of component tcp returned success
[vm:31001] selected ob1 best priority 20
"""
NCCL_IB = """
node1:4242:4300 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB [RO]; OOB ib0:192.0.2.11<0>
node1:4242:4300 [0] NCCL INFO Using network IB
node1:4242:4310 [0] NCCL INFO Channel 00/0 : 3[3] -> 4[0] [send] via NET/IB/0/GDRDMA
"""
NCCL_SOCKET = """
node1:4242:4300 [0] NCCL INFO NET/Plugin: No plugin found (libnccl-net.so)
node1:4242:4300 [0] NCCL INFO NET/IB : No device found.
node1:4242:4300 [0] NCCL INFO NET/Socket : Using [0]hsn0:192.0.2.11<0>
node1:4242:4300 [0] NCCL INFO Using network Socket
node1:4242:4310 [0] NCCL INFO Channel 00/0 : 3[3] -> 4[0] [send] via NET/Socket/0
"""
NCCL_SOCKET_CHOSEN = "".join(line for line in NCCL_SOCKET.splitlines(True) if "via NET" not in line)
NCCL_CXI = """
node1:4242:4300 [0] NCCL INFO NET/OFI Selected provider is cxi, fabric is cxi (found 4 nics)
node1:4242:4300 [0] NCCL INFO Using network AWS Libfabric
node1:4242:4310 [0] NCCL INFO Channel 00/0 : 3[3] -> 4[0] [send] via NET/AWS Libfabric/0/GDRDMA
"""
NCCL_EFA = "node1:4242:4300 [0] NCCL INFO NET/OFI Selected Provider is efa (found 32 nics)"
NCCL_OFI_TCP = "node1:4242:4300 [0] NCCL INFO NET/OFI Selected Provider is tcp;ofi_rxm (found 2 nics)"
NCCL_NODE = "node1:4242:4310 [0] NCCL INFO Channel 00 : 0[0] -> 1[1] via SHM/direct/direct"
INTEL_MLX = "[0] MPI startup(): libfabric version: 1.13.0-impi\n[0] MPI startup(): libfabric provider: mlx"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (UCX_SHM, {("UCX", "sysv", "shm", "node"), ("UCX", "cma", "shm", "node"), ("UCX", "posix", "shm", "node")}),
        (UCX_TCP, {("UCX", "tcp", "tcp", "node")}),
        (UCX_OLD, {("UCX", "dc_mlx5", "mlx5", "any")}),
        (FI_TCP, {("libfabric", "sockets", "tcp", "any")}),
        (FI_CXI, {("libfabric", "cxi", "cxi", "any")}),
        (FI_OLD, {("libfabric", "cxi", "cxi", "any")}),
        (OPENMPI, {("Open MPI", "sm", "shm", "node"), ("Open MPI", "tcp", "tcp", "network")}),
        (NCCL_IB, {("NCCL", "IB", "mlx5", "network")}),
        (NCCL_SOCKET, {("NCCL", "Socket", "tcp", "network")}),
        (NCCL_CXI, {("NCCL", "cxi", "cxi", "network")}),
        (NCCL_EFA, {("NCCL", "efa", "efa", "network")}),
        (NCCL_OFI_TCP, {("NCCL", "tcp;ofi_rxm", "tcp", "network")}),
        (NCCL_NODE, {("NCCL", "SHM", "shm", "node")}),
        (INTEL_MLX, {("Intel MPI", "mlx", "mlx5", "any")}),
        ("UCX_* env variables, libfabric: nothing that tells", set()),
    ],
)
def test_what_a_log_tells(log, expected):
    assert {(use.library, use.name, use.provider, use.scope) for use in uses(log)} == expected


@pytest.mark.parametrize(
    ("expected", "log", "nodes", "state"),
    [
        ("mlx5", UCX_IB, 2, "right"),
        ("mlx5", UCX_OTHER, 2, "fallback"),
        ("mlx5", UCX_SHM, 2, "unknown"),
        ("mlx5", UCX_SHM, 1, "unused"),
        ("mlx5", UCX_TCP, 1, "slow node"),
        ("mlx5", INTEL_MLX, 2, "right"),
        ("mlx5", NCCL_IB, 2, "right"),
        ("mlx5", NCCL_SOCKET, 2, "fallback"),
        ("mlx5", OPENMPI, 1, "unused"),
        ("mlx5", OPENMPI, 2, "fallback"),
        ("mlx5", FI_CXI, 2, "other"),
        ("cxi", FI_CXI, 2, "right"),
        ("cxi", FI_CXI, 1, "right"),
        ("cxi", FI_TCP, 1, "fallback"),
        ("cxi", NCCL_CXI, 2, "right"),
        ("cxi", NCCL_SOCKET, 2, "fallback"),
        # Every library, on every node: one that is right makes none of the others right.
        ("cxi", FI_CXI + NCCL_SOCKET, 2, "fallback"),
        ("mlx5", UCX_IB + NCCL_SOCKET, 2, "fallback"),
        ("cxi", NCCL_CXI + NCCL_SOCKET.replace("node1", "node2"), 2, "fallback"),
        ("mlx5", UCX_IB + UCX_OTHER.replace("vm:6714", "n2:6714"), 2, "fallback"),
        ("cxi", FI_CXI + FI_TCP.replace("6733", "8100"), 2, "fallback"),
        ("mlx5", UCX_SHM + UCX_TCP, 2, "slow node"),
        ("mlx5", UCX_LANES, 2, "right"),
        ("mlx5", UCX_IB + OPENMPI, 2, "right"),
        ("mlx5", OPENMPI + NCCL_IB, 2, "fallback"),
        ("cxi", FI_CXI + NCCL_IB, 2, "other"),
        ("verbs", NCCL_IB, 2, "right"),
        ("verbs", UCX_OTHER, 2, "fallback"),
        # On one node NCCL chooses a network, and does not use it.
        ("cxi", NCCL_SOCKET_CHOSEN + NCCL_NODE, 1, "unused"),
        ("cxi", NCCL_SOCKET, 1, "fallback"),
        ("efa", NCCL_EFA, 2, "right"),
        ("efa", NCCL_OFI_TCP, 2, "fallback"),
        ("shm", UCX_SHM, 1, "right"),
        ("shm", UCX_TCP, 1, "slow node"),
        ("shm", FI_TCP, 1, "unused"),
        ("tcp", UCX_OTHER, 2, "right"),
        ("cxi", "", 2, "unknown"),
    ],
)
def test_the_verdict(expected, log, nodes, state):
    assert judge_provider(expected, uses(log), nodes).state == state


def test_a_fallback_is_told_with_its_price():
    text = judge_provider("cxi", uses(NCCL_SOCKET), 2).text
    assert text.startswith("fallback to TCP (NCCL Socket) where the site file names cxi: 12 to 34 times slower")


def test_a_mixed_network_is_told_with_what_is_right_and_the_line():
    mixed = NCCL_CXI + NCCL_SOCKET.replace("node1", "node2")
    assert judge_provider("cxi", uses(mixed), 2).text == (
        "fallback to TCP (NCCL Socket) where the site file names cxi: 12 to 34 times slower (CSCS, resource-hook.md); "
        "NCCL cxi is right; the log says: node2:4242:4300 [0] NCCL INFO NET/Socket : Using [0]hsn0:192.0.2.11<0>"
    )
