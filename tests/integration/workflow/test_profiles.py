"""`snakemake --profile site/<name> -n` tells on any machine what would be done on that site."""

from __future__ import annotations

import pytest

from deeprc.sites import known_sites
from starts import Ended, together


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict[str, Ended]:
    folder, names = tmp_path_factory.mktemp("profiles"), known_sites()
    starts = [["--profile", f"site/{name}", "-n", "--directory", folder / name] for name in names]
    return dict(zip(names, together(*starts), strict=True))


@pytest.mark.parametrize("name", known_sites())
def test_a_profile_dry_runs(ended, name):
    assert ended[name].code == 0, ended[name].output
    assert "This was a dry-run" in ended[name].output
