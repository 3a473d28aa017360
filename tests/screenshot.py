"""A picture of the report, for the README."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from browser import chromium
from deeprc.core.files import atomic
from deeprc.core.stage import run


def main(
    report: Annotated[Path, typer.Argument(help="the page", exists=True)],
    out: Annotated[Path, typer.Argument(help="the PNG to write")],
    width: Annotated[int, typer.Option(help="of the window, pixels")] = 1280,
    height: Annotated[int, typer.Option(help="of the window, pixels; 0: the whole page")] = 1000,
    scheme: Annotated[str, typer.Option(help="light or dark")] = "light",
    scale: Annotated[float, typer.Option(help="pixels of the picture per pixel of the window")] = 1,
) -> None:
    """Take a picture of the report in headless Chromium.

    Example: `python tests/screenshot.py results/report.html docs/report.png --width 1280 --height 1400`
    """
    with chromium() as page, atomic(out) as temporary:
        page.open(report, width=width, height=height or 900, scheme=scheme, scale=scale)
        page.screenshot(temporary, whole=height == 0)


if __name__ == "__main__":
    run(main)
