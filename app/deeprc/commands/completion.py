"""`deeprc completion`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from typer.completion import get_completion_script


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="your shell")]) -> None:
    """Print what lets your shell complete commands, options and names of sites.

    Example: `deeprc completion bash > ~/.local/share/bash-completion/completions/deeprc`

    Example: `deeprc completion zsh > ~/.zfunc/_deeprc` (a folder of `$fpath`)

    Example: `deeprc completion fish > ~/.config/fish/completions/deeprc.fish`
    """
    typer.echo(get_completion_script(prog_name="deeprc", complete_var="_DEEPRC_COMPLETE", shell=shell))
