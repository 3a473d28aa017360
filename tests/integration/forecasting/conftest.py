"""A real series in small: the first 120 days of the Beijing data, fetched as a user's run fetches them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeprc.applications.forecasting.config import DataConfig
from deeprc.core.datasets import fetch

SMALL = DataConfig(horizon=12, input_size=36)


@pytest.fixture(scope="session")
def beijing(tmp_path_factory) -> Path:
    """The whole csv file."""
    path = tmp_path_factory.mktemp("data") / "beijing.csv"
    fetch("beijing", path)
    return path


@pytest.fixture(scope="session")
def slice_of_beijing(beijing) -> Path:
    """120 days, with their gaps."""
    path = beijing.with_name("slice.csv")
    path.write_text("".join(beijing.read_text().splitlines(keepends=True)[: 120 * 24 + 1]))
    return path


@pytest.fixture(scope="session")
def prepare(mpirun, tmp_path_factory):
    """A function that prepares a csv file on some ranks and returns the folder."""

    def run(data: Path, config: DataConfig = SMALL, ranks: int = 2) -> Path:
        out = tmp_path_factory.mktemp("prepared") / "prepared"
        arguments = ["--data", data, "--config", config.model_dump_json(), "--out", out]
        done = mpirun(ranks, ["-m", "deeprc.applications.forecasting.prepare", *arguments])
        assert done.returncode == 0, done.stderr
        return out

    return run


@pytest.fixture(scope="session")
def prepared(prepare, slice_of_beijing) -> Path:
    """The slice, prepared on two ranks."""
    return prepare(slice_of_beijing)
