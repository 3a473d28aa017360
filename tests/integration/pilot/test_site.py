"""A run on a site that this machine is not, or that is no more, stops before it has begun; a plan works anywhere."""

from __future__ import annotations

import pytest

from pilots import QUIET, run


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("frontier", ["this is not frontier", "LMOD_SYSTEM_NAME=frontier in the environment", "DEEPRC_SITE=frontier"]),
        ("summit", ["summit was retired on 2024-11-15", "frontier"]),
        ("frontire", ["unknown site 'frontire'", "did you mean 'frontier'?"]),
    ],
)
def test_a_run_elsewhere_stops_before_it_has_begun(tmp_path, site, expected):
    code, output = run(tmp_path, "mpi.smk", "--radical-pilot-site", site, *QUIET, "world.txt", timeout=60)
    assert code == 1
    for text in expected:
        assert text in output
    assert "Traceback" not in output
    assert not (tmp_path / ".deeprc").exists()


@pytest.mark.parametrize("site", ["frontier", "summit"])
def test_what_would_run_is_told_anywhere(tmp_path, site):
    code, output = run(tmp_path, "mpi.smk", "-n", "--radical-pilot-site", site, "--", "world.txt", timeout=60)
    assert code == 0, output
    assert "world" in output
