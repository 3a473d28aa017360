"""What commands of images print."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import typer

from deeprc.core.errors import DeepRCError
from deeprc.images import transfer
from deeprc.images.errors import ImageError
from deeprc.images.store import Held, Store


def told(outcomes: Iterable[str | DeepRCError]) -> None:
    """Print what was found of each image; then one error that names all that are wrong."""
    errors = []
    for outcome in outcomes:
        if isinstance(outcome, DeepRCError):
            errors.append(outcome)
        else:
            typer.echo(outcome)
    if len(errors) > 1:
        found = "\n  ".join(str(error).replace("\n", "\n  ") for error in errors)
        raise ImageError(f"{len(errors)} images are not what they should be", found=found)
    if errors:
        raise errors[0]


def closed(store: Store) -> None:
    """Tell what is in the folders and is not counted."""
    for why in store.closed():
        typer.echo(f"notice: {why}", err=True)


def signature(held: Held) -> str:
    return f", signed with {held.signed_by}" if held.signed_by else ""


def show(held: Held) -> None:
    typer.echo(f"{held.path}\n  {held.digest}, {held.size / 1e6:.0f} MB{signature(held)}")


def progress(name: str) -> transfer.Progress:
    """A line that counts, on terminals only."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        if sys.stderr.isatty() and (percent := 100 * done // max(total, 1)) != shown:
            shown = percent
            end = "\n" if done >= total else "\r"
            print(f"{name}: {percent} % of {total / 1e6:.0f} MB", end=end, file=sys.stderr, flush=True)

    return show
