"""The workflow itself in the results: its Snakefiles and its configuration, as they were used.

Configuration files are there for rules that read them: what Snakemake made of them stands in the configuration.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from deeprc.core.files import atomic, write_text
from deeprc.core.shipped import SHIPPED
from deeprc.core.validation import read_yaml
from deeprc.reporting.crate.plain import Hide

FOLDER = "workflow"
CONFIG = f"{FOLDER}/config.json"
FILES = f"{FOLDER}/configfiles"  # in it each stands as below the working directory


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


def copy(
    folder: Path, files: dict[str, Path], config: object, hide: Hide, files_of_config: Iterable[Path] = ()
) -> list[str]:
    """Write them into the results `folder`; return their places, the configuration's last.

    Parameters
    ----------
    files
        By their places, as `places` has them.
    config, files_of_config
        The configuration, masked, and the files below the working directory that it came from, named from there.
    hide
        Masks those files.
    """
    placed = [*files]
    for place, path in files.items():
        with atomic(folder / place) as temporary:
            shutil.copyfile(path, temporary)  # a figure or an archive, maybe: no text
    for path in files_of_config:
        write_text(folder / (place := configured(path)), _shown(path, hide))
        placed.append(place)
    write_text(folder / CONFIG, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    return [*placed, CONFIG]


def configured(path: Path) -> str:
    """Where a configuration file, named from the working directory, stands in the crate."""
    return f"{FILES}/{path.as_posix()}"


def _shown(path: Path, hide: Hide) -> str:
    """A configuration file as it is, with its comments; without them where something in it is masked."""
    shown, wanted = str(hide(path.read_text(encoding="utf-8-sig"))), hide(read_yaml(path))
    with contextlib.suppress(ValueError, yaml.YAMLError):  # where a mask stands without quotes
        if _by_texts(_parsed(shown)) == wanted:
            return shown
    return yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def _by_texts(value: object) -> object:
    """A value with texts for its keys, as that is which was masked."""
    if isinstance(value, dict):
        return {str(key): _by_texts(inner) for key, inner in value.items()}
    return [_by_texts(inner) for inner in value] if isinstance(value, list) else value
