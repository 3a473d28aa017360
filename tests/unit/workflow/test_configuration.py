"""Configuration files: what is wrong is told with its file and line, whoever would have noticed first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError
from deeprc.core.validation import lines, read_mapping, read_yaml
from deeprc.workflow.configuration import read_config
from snakemake_executor_plugin_radical_pilot import commandline

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a: 1\n\tb: 2\n", [":2: not valid YAML", "'\\tb: 2'", "write spaces"]),
        (b"a: {b: 2\n", [":2: not valid YAML", "the end of the file"]),
        (b"a: [1, 2\nb: 3\n", [":2: not valid YAML"]),
        (b"a:\n  b: 1\n  c: 2\n  b: 3\n", [":4: the key 'b' stands twice", "first on line 2"]),
        (b'{"a": 1, "a": 2}', ["the key 'a' stands twice"]),
        (b"- a\n", ["not a configuration", "a list", "key: value"]),
        (b"just words\n", ["not a configuration", "a str"]),
        (b"", ["not a configuration", "nothing"]),
        (b"# only a comment\n", ["not a configuration", "nothing"]),
        (b"a: M\xfcller\n", ["not text in UTF-8", "0xfc"]),
        (b"a: !!python/object/apply:os.getcwd []\n", [":1: not valid YAML"]),
        (b"a: *b\n", [":1: not valid YAML"]),
        (b"a: &a [*a]\n", [": a value that is a part of itself", "write out"]),
        (b"a: &a {b: [1, *a]}\n", [": a value that is a part of itself"]),
    ],
)
def test_what_no_configuration_is(tmp_path, text, told):
    file = tmp_path / "mine.yaml"
    file.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        read_mapping(file)
    assert str(caught.value).startswith(str(file))
    assert [words for words in told if words not in str(caught.value)] == []


@pytest.mark.parametrize(
    "text",
    ["a: {b: 1}\n", '{"a":\t{"b": 1}}', "\ufeffa:\n  b: 1\n", "x: &x {b: 1}\na: {<<: *x}\n", "x: &x {b: 1}\na: *x\n"],
)
def test_what_is_read(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert read_yaml(tmp_path / "mine.yaml")["a"] == {"b": 1}


def test_a_file_that_cannot_be_read_comes_with_its_neighbour(tmp_path):
    (tmp_path / "mine.yaml").write_text("results: r\n")
    with pytest.raises(ConfigError, match=r"cannot read this file: No such file.*\n  fix: did you mean .*mine\.yaml\?"):
        read_mapping(tmp_path / "mien.yaml")
    with pytest.raises(ConfigError, match="a folder, where a file is meant"):
        read_mapping(tmp_path)


def test_each_key_has_its_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: 1\nb:\n  - x\n  - c: 3\n")
    assert lines(tmp_path / "mine.yaml") == {("a",): 1, ("b",): 2, ("b", "0"): 3, ("b", "1"): 4, ("b", "1", "c"): 4}


@pytest.mark.parametrize(
    ("mine", "given", "told"),
    [
        ("forecasting:\n  split: 0.7\n", {}, ["mine.yaml:2: key 'forecasting.split'", "0.7", "[0.7, 0.1]"]),
        ("results: r\nhydrology:\n  epoch: 3\n", {}, ["mine.yaml:3: unknown key 'hydrology.epoch'", "'epochs'?"]),
        ("hydrology:\n  basins:\n  - 01022500\n", {}, ["mine.yaml:3: key 'hydrology.basins.0'", "in quotes"]),
        ("forecasting:\n", {}, ["mine.yaml:1: key 'forecasting'", "leave it out"]),
        ("forecasting: {horizon: 2}\n", {"forecasting": {"horizon": "x"}}, ["--config: key 'forecasting.horizon'"]),
        ("forecasting: {horizon: 2}\n", {"forecasting": "{horizon: 12"}, ["--config: key 'forecasting'", "its YAML"]),
        ("pipelines: [digits]\n", {}, ["mine.yaml:1: unknown application 'digits'\n", "forecasting, hydrology\n"]),
        ("pipelines: [digits]\n", {}, ["  fix: is its package installed here, beside Deep RC?"]),
        ("pipelines: [hydrology]\n", {"pipelines": "wnie"}, ["--config: unknown application 'wnie'"]),
        (
            "pipelines: [hydrology]\n",
            {"pipelines": ["hydrolgy"]},
            ["--config: unknown", "mean 'hydrology'? If not: is"],
        ),
        ("results: r\n", {"pipeline": ["hydrology"]}, ["--config: unknown key 'pipeline'", "'pipelines'?"]),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(tmp_path, mine, given, told):
    default, file = ROOT / "workflows" / "config" / "default.yaml", tmp_path / "mine.yaml"
    file.write_text(mine)
    with pytest.raises(ConfigError) as caught:
        read_config({**read_yaml(default), **read_yaml(file), **given}, files=[default, file], given=given)
    assert [words for words in told if words not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], None),
        (["--configfile", "ok.yaml", "--config", "forecasting={horizon: 12}", "results=r", "-n"], None),
        (["--configfile", "ok.yaml", "nope.yaml"], "nope.yaml: cannot read this file"),
        (["--configfiles=nope.yaml"], "nope.yaml: cannot read this file"),
        (["--config", "a1=1", "-n", "--config", "b1=2"], "would keep only the last"),
        (["--configfile", "ok.yaml", "--configfile", "ok.yaml"], "would keep only the last"),
        (["--config", "results", "-n"], "not a key with a value"),
        (["-C", "results: r"], "not a key with a value"),
        (["--config", "k=1"], "a key of two signs or more"),
    ],
)
def test_the_command_line_before_snakemake_reads_it(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    Path("ok.yaml").write_text("results: r\n")
    if told:
        with pytest.raises(ConfigError, match=told):
            commandline.check(["/x/bin/snakemake", *arguments])
    else:
        commandline.check(["/x/bin/snakemake", *arguments])
    commandline.check(["/x/bin/pytest", *arguments])


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("brace.yaml", "error: brace.yaml:2: not valid YAML"),
        (
            "mien.yaml",
            "error: mien.yaml: cannot read this file: No such file or directory\n  fix: did you mean mine.yaml?",
        ),
        ("mine.yaml", None),  # a key twice is nothing that Snakemake minds: another workflow may
    ],
)
def test_a_configuration_file_is_told_with_its_line_whatever_the_executor(tmp_path, file, told):
    (tmp_path / "brace.yaml").write_text("a: {b: 2\n")
    (tmp_path / "mine.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "Snakefile").write_text("rule all:\n    shell: 'true'\n")
    command = [Path(sys.executable).parent / "snakemake", "--cores", "1", "-n", "--configfile", file]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if told else 0), done.stderr
    assert "Traceback" not in done.stderr and done.stderr.startswith(told or "")


@pytest.mark.parametrize(
    ("site", "told"),
    [
        ("localhst", "did you mean 'localhost'? make run SITE=localhost"),
        ("Frontierr", "did you mean 'frontier'?"),
        ("it's $(touch pwned)", "unknown site"),
        ("../site", "unknown site"),
        ("", "unknown site ''"),
    ],
)
def test_a_site_that_is_not_known_is_told_before_anything_is_installed(tmp_path, site, told):
    """In a checkout without an environment: nothing but make, a shell and a Python are there."""
    for name in ("localhost", "frontier"):
        (tmp_path / "site-configs" / name).mkdir(parents=True)
        (tmp_path / "site-configs" / name / "config.yaml").touch()
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    done = subprocess.run(
        ["make", "-j4", "run", f"SITE={site}", f"PYTHON={sys.executable}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert told in done.stderr and "expected: one of frontier localhost" in done.stderr
    assert "Setting up" not in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"Makefile", "site-configs"}
