"""The check of Snakemake's insides: it says in one sentence what does not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.core.insides import lacking
from deeprc.workflow import hooks
from snakemake_executor_plugin_radical_pilot import internals


def test_this_snakemake_fits():
    internals.check()
    assert lacking(hooks.USED) is None


def test_a_version_that_nobody_has_tried_is_told(monkeypatch):
    monkeypatch.setattr(internals, "version", lambda package: "10.0.1")
    with pytest.raises(internals.UnfitError) as error:
        internals.check()
    assert str(error.value).splitlines()[0] == (
        "the executor radical-pilot does not fit Snakemake 10.0.1: a version that nobody has tried"
    )


@pytest.mark.parametrize(
    ("used", "told"),
    [
        ({"snakemake.dag:DAG": "_running gone"}, "DAG of snakemake.dag has no gone"),
        ({"snakemake.shell:gone": "a"}, "module 'snakemake.shell' has no attribute 'gone'"),
        ({"snakemake.gone:Gone": "a"}, "No module named 'snakemake.gone'"),
    ],
)
def test_what_is_gone_is_told(monkeypatch, used, told):
    monkeypatch.setattr(internals, "USED", used)
    with pytest.raises(internals.UnfitError) as error:
        internals.check()
    assert error.value.problem.endswith(f": {told}")


def test_an_executor_that_cannot_be_imported_ends_in_one_sentence(tmp_path):
    """In a real process, in which Snakemake has another `shell`."""
    program = "import sys, snakemake.shell\ndel sys.modules['snakemake.shell'].MAX_ARG_LEN\n"
    program += "import snakemake_executor_plugin_radical_pilot"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: the executor radical-pilot does not fit Snakemake 9.")
    assert "cannot import name 'MAX_ARG_LEN'" in first and "Traceback" not in done.stderr
    assert rest[-1].startswith("  fix: pip install ")


def test_the_pins_are_the_projects():
    text = Path(__file__).parents[3].joinpath("pyproject.toml").read_text()
    assert '"snakemake>=9.27,<10"' in text and set(str(internals.FITS).split(",")) == {">=9.27", "<10"}
