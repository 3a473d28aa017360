"""An engine of frames that jobs of prepare would not find is refused before anything queues."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeprc.images.catalog import load_catalog
from deeprc.workflow.guests import without_engine

DOUBLE = Path(__file__).parents[2] / "integration/frames/cylon_double"


def nothing_known() -> None:
    return None


@pytest.mark.parametrize(
    ("image", "holds", "found"),
    [
        (None, nothing_known, "no module pycylon in this environment"),
        ("cpu", nothing_known, "no pycylon in the image cpu"),
        ("cpu", lambda: {"polars"}, "no pycylon in the image cpu"),
        ("cpu", lambda: {"polars", "pycylon"}, None),
        ("cylon", nothing_known, None),
    ],
)
def test_cylon_is_looked_for_where_prepare_runs(image, holds, found) -> None:
    used = image and load_catalog().image(image)
    errors = [str(error) for error in without_engine("cylon", used, holds)]
    assert [line for error in errors for line in error.splitlines()[1:2]] == ([f"  found: {found}"] if found else [])
    assert not [*without_engine("arrow", used, holds)]


def test_cylon_that_is_installed_here_is_used(monkeypatch) -> None:
    monkeypatch.syspath_prepend(DOUBLE)
    assert not [*without_engine("cylon", None, nothing_known)]
