"""NERSC's Shifter."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from http.client import HTTPException
from pathlib import Path

from deeprc.images import web
from deeprc.images.errors import ImageError
from deeprc.images.shared import unreadable
from deeprc.launch.runtimes.base import Container, Inside, register

CONFIGURATION = Path("/etc/shifter/udiRoot.conf")
PATIENCE = 10  # times the usual, while the gateway copies the file


@register("shifter")
class Shifter(Container):
    """`shifter`, whose modules bring libraries of the host (udiRoot.conf of NERSC/shifter)."""

    def address(self, folder: str, name: str) -> str:
        """An image that its gateway has been given as a file (`fill`)."""
        return f"custom:deeprc/{name}:latest"

    def fill(self, squashfs: Path, name: str, digest: str) -> str | None:
        """Have the gateway copy the file (NERSC/shifter doc/import.md), which it may do for the users it lists."""
        if not CONFIGURATION.is_file():
            return f"Shifter is not here: on the site, the same command has its gateway import {name}"
        if why := unreadable(squashfs.parent):
            raise ImageError("Shifter's gateway cannot read the image", where=squashfs, found=why)
        lines = CONFIGURATION.read_text(encoding="utf-8").splitlines()
        known = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        if not {"imageGateway", "system"} <= set(known):
            raise ImageError("no gateway of images is named", where=CONFIGURATION, expected="imageGateway, system")
        kind, _, tag = self.address("", name).partition(":")
        url = f"{known['imageGateway'].strip()}/api/doimport/{known['system'].strip()}/{kind}/{tag}/"
        body = json.dumps({"filepath": str(squashfs), "format": "squashfs"}).encode()
        headers = {"Content-Type": "application/json", "authentication": _credential()}
        try:
            with web.send(urllib.request.Request(url, data=body, headers=headers), patience=PATIENCE) as answer:
                answer.read()
        except (OSError, HTTPException) as error:
            raise ImageError(
                "Shifter's gateway did not import the image",
                where=url,
                found=error,
                expected="a gateway whose ImportUsers (imagemanager.json) names you",
                fix="ask the facility to allow imports, or to import the file itself",
            ) from None
        return f"{kind}:{tag} is imported by Shifter's gateway"

    def wrap(self, inside: Inside) -> list[str]:
        """`shifter --image=… --module=… <volumes> <variables>`."""
        modules = ["gpu"] if inside.vendor else []
        modules += ["mpich"] if inside.model == "bind" else []
        modules += ["nccl-plugin"] if inside.ccl else []
        line = ["shifter", f"--image={inside.image}", f"--module={','.join(modules) or 'none'}", *inside.flags]
        line += [f"--volume={bind if ':' in bind else f'{bind}:{bind}'}" for bind in inside.binds]
        return [*line, *(f"--env={name}={value}" for name, value in inside.variables.items())]


def _credential() -> str:
    """Who we are, as the gateway believes it: MUNGE's word."""
    try:
        return subprocess.run(["munge", "-n"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise ImageError("munge does not say who we are, which Shifter's gateway asks for", found=error) from None
