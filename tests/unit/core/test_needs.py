"""What the applications need, as images, Spack, modules and the report hear of it."""

from __future__ import annotations

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deeprc.core import needs
from deeprc.images.definition import imports

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_needed_of_ours_is_an_extra_that_brings_the_modules():
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    where = packages_distributions()
    for found in needs.ours().values():
        for need in found:
            brought = {Requirement(line).name for line in given[need.extra]}
            assert all(brought & {*map(canonicalize_name, where[module])} for module in need.modules), need


def test_who_asks_by_a_kind_of_stages_hears_of_that_kind_alone():
    assert (needs.extras(), needs.extras("torch"), needs.extras("frames")) == (
        ["forecasting", "hydrology"], ["forecasting"], [],
    )  # fmt: skip
    assert imports("torch") == ["torch", "neuralforecast"] and imports("tensorflow") == ["tensorflow"]
    assert imports("frames") == ["deeprc.frames", "mpi4py", "polars", "pyarrow"]


def test_the_report_is_told_of_the_packages_of_all_applications():
    told = needs.packages()
    assert {*told[:2]} == {"torch", "neuralforecast"} and told[2].startswith("tensorflow")  # hatchling sorts them
    assert not {"snakemake", "pytest", "scikit-learn", "deeprc"} & set(told)
