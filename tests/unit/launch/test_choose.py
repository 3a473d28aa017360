"""Which image comes first, also where none fits."""

import pytest

from deeprc.images.catalog import load_catalog
from deeprc.launch.choose import candidates, choose_image
from deeprc.sites import load_site
from samples.sites import cluster

CATALOG = load_catalog()
NVIDIA = {"vendor": "nvidia", "model": "A100", "arch": "sm_80", "count": 4}
# An MPI of the mpich family that no image can be started by: no PMI, and not to be bound.
CLOSED = {"implementation": "cray-mpich", "version": "8.1", "abi_version": "3.4", "family": "mpich", "bindable": False}


def names(site, **options) -> list[str]:
    return [image.name for image, _ in candidates(CATALOG, site, site.partition(), **options)]


def closed(**partition):
    return cluster(partition=partition, mpi=[CLOSED], launcher={"name": "srun", "pmi": []})


def test_where_none_fits_images_for_the_accelerators_come_first():
    site = closed(accelerator=NVIDIA)
    found = candidates(CATALOG, site, site.partition(), nodes=2, gpus=True)
    assert {verdict.kind for _, verdict in found} == {"refuse"}
    assert [image.accelerator and image.accelerator.vendor for image, _ in found][:5] == ["nvidia"] * 4 + [None]
    best, verdict = found[0]
    assert "mpich" in best.families
    assert "built for" not in verdict.reason


def test_where_none_fits_images_for_the_processor_come_before_others():
    site = closed(accelerator=NVIDIA, architecture="aarch64")
    order = names(site, nodes=2, gpus=True)
    assert order.index("cuda12-openmpi-ucx") < order.index("cuda12-mpich-ucx") < order.index("cpu")


def test_where_none_fits_ranks_without_accelerators_are_told_of_an_image_without():
    assert names(closed(accelerator=NVIDIA), nodes=2)[0] == "cpu"


@pytest.mark.parametrize("gpus", [True, False])
def test_cylon_is_last(gpus: bool):
    assert names(closed(accelerator=NVIDIA), nodes=2, gpus=gpus)[-1] == "cylon"


def test_nvidia_gpus_on_infiniband_with_an_mpich_have_an_image_that_uses_the_network():
    site = load_site("frontera")
    rtx = site.partition("rtx")
    assert choose_image(CATALOG, site, rtx, nodes=2, gpus=True).name == "cuda12-mpich-ucx"
    verdict = candidates(CATALOG, site, rtx, nodes=2, gpus=True)[0][1]
    assert (verdict.kind, verdict.pmi, verdict.warnings) == ("hybrid", "pmi1", [])


def test_a_sites_own_order_decides_among_equals():
    site = load_site("juwels-booster")
    assert choose_image(CATALOG, site, site.partition(), nodes=2, gpus=True).name == "cuda12-openmpi-ucx"
