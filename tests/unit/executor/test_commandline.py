"""Secrets in the command line of Snakemake itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from snakemake_executor_plugin_radical_pilot.commandline import hide
print("begun", flush=True)
sys.stdin.readline()
hide()
print(sys.argv[1:], flush=True)
sys.stdin.readline()
"""
SHOW = "print(open(f'/proc/{sys.argv[1]}/cmdline', 'rb').read().decode().split(chr(0))[3:])"


@pytest.mark.requires("root")
def test_another_user_does_not_read_them_any_more(stranger):
    words = ["--config", "a_key=planted", "µ=1", "db={password: planted, host: h}", "--s3-token", "planted", "all"]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdin=-1, stdout=-1, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        assert stranger.run(SHOW, process.pid) == f"{[*words, '']}\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{words}\n"  # the program itself still knows
        hidden = ["--config", "a_key=*******", "µ=1", "db={" + "*" * 27, "--s3-token", "*******"]
        assert stranger.run(SHOW, process.pid) == f"{[*hidden, '***', '']}\n"
    finally:
        process.communicate("\n")
