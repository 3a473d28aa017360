"""What a command gives Python before its program is read as Python reads it."""

import importlib.util
import json
import subprocess
import sys

import pytest

from deeprc.pilot.started import PROGRAM

spec = importlib.util.spec_from_file_location("deeprc_startup", PROGRAM / "startup.py")
startup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(startup)

SEEN = "import json, sys; print(json.dumps([sys.argv, sys.flags.safe_path, sys.flags.dont_write_bytecode]))"


@pytest.mark.parametrize(
    ("words", "flags", "program"),
    [
        (["-c", SEEN, "-O", "a"], "", ["-c", SEEN, "-O", "a"]),
        (["-u", "-c", SEEN, "-c"], "u", ["-c", SEEN, "-c"]),
        (["-uBc", SEEN], "uB", ["-c", SEEN]),
        (["-P", "-Bq", f"-c{SEEN}", "b"], "PBq", ["-c", SEEN, "b"]),
        (["-u", "{script}", "-m", "x"], "u", ["{script}", "-m", "x"]),
    ],
)
def test_options_and_words_are_those_of_python(tmp_path, words, flags, program):
    (tmp_path / "script").write_text(SEEN)
    script = str(tmp_path / "script")
    words, program = ([script if word == "{script}" else word for word in each] for each in (words, program))
    assert startup.options(words) == (flags, program)
    told = json.loads(subprocess.run([sys.executable, *words], env={}, capture_output=True, check=True).stdout)
    argv = program if program[0] != "-c" else ["-c", *program[2:]]
    assert told == [argv, "P" in flags, int("B" in flags)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-O", "x.py"], "the option -O"),
        (["-uOc", "1"], "the option -O"),
        (["-W", "error", "-Xdev", "-I", "-m", "a"], "the options -W error, -X dev, -I"),
        (["--version"], "the option --version"),
        (["-m"], "the option -m without its word"),
        ([], "a program read from its input"),
        (["-u", "-", "a"], "a program read from its input"),
    ],
)
def test_what_a_process_that_runs_cannot_have_is_named(words, why):
    with pytest.raises(ValueError, match=f"^{why}$"):
        startup.options(words)


def test_variables_are_named_without_their_values():
    there = {"LANG": "C.UTF-8", "HF_TOKEN": "a", "TF_X": "1"}
    assert startup.differences(there, there) == ""
    assert startup.differences({"LANG": "C.UTF-8", "HF_TOKEN": "b"}, there) == "HF_TOKEN, TF_X of its own"
