"""The workflow itself in the results: its Snakefiles and its configuration, as they were used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from deeprc.core.files import atomic, write_text
from deeprc.core.shipped import SHIPPED

FOLDER = "workflow"
CONFIG = f"{FOLDER}/config.json"


def places(main: Path, others: Iterable[Path]) -> dict[str, Path]:
    """Where each file of the workflow stands in the crate; the main one first.

    Those below the main one's folder keep their places beside it, those that come with Deep RC theirs below
    `workflow/deeprc`; others, which a Snakefile may have from anywhere, stand by their names in `workflow/others`.
    """
    base, shipped = main.resolve().parent, SHIPPED.resolve()
    found = {f"{FOLDER}/{main.name}": main}
    for path in others:
        whole = path.resolve()
        if whole.is_relative_to(base):
            found.setdefault(f"{FOLDER}/{whole.relative_to(base).as_posix()}", path)
        elif whole.is_relative_to(shipped):
            found.setdefault(f"{FOLDER}/deeprc/{whole.relative_to(shipped).as_posix()}", path)
        else:
            found.setdefault(f"{FOLDER}/others/{path.name}", path)
    return found


def copy(folder: Path, files: dict[str, Path], config: object) -> list[str]:
    """Write them into the results `folder`; return their places, the configuration's last."""
    for place, path in files.items():
        with atomic(folder / place) as temporary:
            shutil.copyfile(path, temporary)  # a figure or an archive, maybe: no text
    write_text(folder / CONFIG, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    return [*files, CONFIG]
