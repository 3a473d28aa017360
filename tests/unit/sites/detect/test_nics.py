"""Network cards, on folders laid out as the kernel does."""

import pytest

from deeprc.sites.detect import nics


def verbs(name, driver, rate, layer="InfiniBand", state="4: ACTIVE"):
    base = f"sys/class/infiniband/{name}"
    return {
        f"{base}/device/driver": f"->/sys/bus/pci/drivers/{driver}",
        f"{base}/ports/1/rate": rate,
        f"{base}/ports/1/link_layer": layer,
        f"{base}/ports/1/state": state,
    }


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
