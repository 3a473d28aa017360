"""docs/troubleshooting.md: each message that it quotes is one that the code prints, each command is one there is."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from click import Command, Context
from typer.main import get_command

from deeprc.cli import command_line
from deeprc.commands.doctor import NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = [line for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
COMMANDS = re.findall(r"`(deeprc [^`]+)`", PAGE)
FILLED = "\0"
NAME = 4  # words: a file, a node, a pilot
FIXED = 9  # letters of the code's own in a string that is compared: one of names and colons alone fits anything


@cache
def messages() -> list[re.Pattern]:
    """Every line that a string of the code can become: whatever is filled in is anything, or another such line."""
    found = set()
    for file in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else FILLED for part in node.values]
                found.update("".join(parts).splitlines())
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(node.value.splitlines())
    return [
        re.compile("(?P<head>.*: )?" + ".*".join(map(re.escape, text.split(FILLED))))
        if text[:1] != FILLED
        else re.compile("(?P<head>.*)" + ".*".join(map(re.escape, text[1:].split(FILLED))))
        for text in found
        if len(re.findall("[a-z]", text)) >= FIXED
    ]


def printed(line: str) -> bool:
    """Whether some string of the code can become that line; before it, a name, or such a line."""
    for message in messages():
        if told := message.fullmatch(line):
            head = (told["head"] or "").rstrip(": ")
            if len(head.split()) <= NAME or printed(head):
                return True
    return False


def fits(command: Command, words: list[str]) -> None:
    """Fail where a command has no such subcommand or option."""
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        command = command.commands[words.pop(0)]
    options = {name for option in command.get_params(Context(command)) for name in option.opts}
    assert {word for word in words if word.startswith("--")} <= options, (command.name, words)


@pytest.mark.parametrize("line", QUOTED)
def test_each_message_is_one_that_the_code_prints(line):
    assert printed(line)


@pytest.mark.parametrize(
    "line",
    [
        "3 worlds of one rank in place of one of 3, and exit code 0: srun offers the ranks no PMI",
        "the pilot has gone for a walk: 3 MB free",
        "no space left to write these files",
    ],
)
def test_a_message_that_nothing_prints_is_found(line):
    assert not printed(line)


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_is_one_that_there_is(words):
    fits(get_command(command_line([])), words.split()[1:])
    if checks := re.search(r"--checks (\S+)", words):
        assert set(checks[1].split(",")) <= set(NAMES)
