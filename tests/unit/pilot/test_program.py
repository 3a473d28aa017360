"""How a program ends that a warm worker or a gang runs: as Python itself lets it end."""

import importlib.util
import subprocess
import sys

import pytest

from deeprc.pilot.workers import PROGRAM

spec = importlib.util.spec_from_file_location("deeprc_program", PROGRAM / "program.py")
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)


@pytest.mark.parametrize("argument", ["", "None", "0", "7", "True", "'words'", "['a', 1]"])
def test_the_code_and_the_words_are_those_of_python(argument, capsys):
    python = subprocess.run([sys.executable, "-c", f"raise SystemExit({argument})"], capture_output=True, text=True)
    code = program.code_of(eval(f"SystemExit({argument})"))
    assert (int(code), capsys.readouterr().err) == (python.returncode, python.stderr)
