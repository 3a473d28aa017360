"""Every command line of Deep RC, walked to its last command: an option with one value is given once."""

import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from deeprc.cli import command_line
from deeprc.core import stage
from deeprc.core.commandline import CommandLine, takes_one
from deeprc.core.errors import ConfigError


def walked(command, context=None):
    """All commands and groups below `command`, each with its context."""
    here = command.context_class(command, info_name=command.name, parent=context)
    yield command, here
    for below in getattr(command, "commands", {}).values():
        yield from walked(below, here)


ALL = {
    context.command_path: (command, context) for command, context in walked(typer.main.get_command(command_line([])))
}


def test_the_walk_finds_groups_and_what_is_in_them():
    assert {"site keys", "image pull", "module install", "spack build", "bench pdsh", "plan", "sites", ""} <= {*ALL}


@pytest.mark.parametrize("path", ALL)
def test_an_option_with_one_value_is_given_once(path):
    command, context = ALL[path]
    for option in filter(takes_one, command.params):
        values = ["1"] * option.nargs * (not option.is_flag)
        for name in option.opts:
            with pytest.raises(ConfigError, match=f"{option.opts[0]} is given 2 times"):
                command.parse_args(context, [name, *values, name, *values])


@pytest.mark.parametrize("path", ALL)
def test_no_option_and_no_path_is_empty(path):
    """`--prefix "$UNSET"` would mean the current folder, `--stages "$UNSET"` all of them."""
    command, context = ALL[path]
    for option in command.params:
        if option.param_type_name == "option" and not option.is_flag and not option.count:
            for name in option.opts:
                with pytest.raises(ConfigError, match=f"{option.opts[0]} is empty\n"):
                    command.parse_args(context, [name, *["1"] * (option.nargs - 1), ""])


def test_an_argument_is_not_empty_but_a_word_of_a_command_may_be():
    app, given = CommandLine(), []

    @app.command()
    def one(folder: Path, words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
        given.append((folder, words))

    app(["x", "echo", ""], standalone_mode=False)
    assert given == [(Path("x"), ["echo", ""])]
    with pytest.raises(ConfigError, match="the argument FOLDER is empty"):
        app([""], standalone_mode=False)


def test_what_may_be_repeated_is_and_what_stands_for_both_is_not():
    app = CommandLine()
    given = []

    @app.command()
    def one(
        many: Annotated[list[str], typer.Option()] = (),
        loud: Annotated[int, typer.Option("-v", count=True)] = 0,
        as_json: Annotated[bool, typer.Option("--json")] = False,
        push: bool = True,
    ) -> None:
        given.append((list(many), loud, as_json, push))

    app(["--many", "a", "--many", "b", "-vv", "--json", "--json", "--no-push"], standalone_mode=False)
    assert given == [(["a", "b"], 2, True, False)]
    with pytest.raises(ConfigError, match="--push is given 2 times"):
        app(["--push", "--no-push"], standalone_mode=False)


def test_a_stage_takes_an_option_once(monkeypatch, capsys):
    def main(epochs: int = 1) -> None:
        pytest.fail(f"ran with {epochs}")

    monkeypatch.setattr(sys, "argv", ["train", "--epochs", "3", "--epochs", "5"])
    with pytest.raises(SystemExit) as left:
        stage.run(main)
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: --epochs is given 2 times\n  expected: one value\n  fix: name one\n"
