"""A results folder's crate as one file: what is small goes with it, and of what is large its size and SHA-256."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from urllib.parse import unquote

from deeprc.core.errors import InputError
from deeprc.core.files import atomic, read_json, sha256
from deeprc.reporting.crate.inputs import named
from deeprc.reporting.crate.opened import NAME
from deeprc.reporting.crate.plain import hiding
from deeprc.reporting.tables import relinked

LARGEST = 10.0  # MB of a file, or of a folder in all, that goes with it
NEEDED = ("metrics.json", "run.json", "workflow/config.json")
TOLD = ("run.json", "report.html")  # they name folders of this machine


def archive(folder: Path, out: Path, largest: float = LARGEST) -> list[str]:
    """Write the crate of a results folder to `out`; return what is only named in it.

    The home folder's path and what counts as a secret here are taken out of `run.json` and the report, too.

    Raises
    ------
    InputError
        Where the folder is no crate, or a file of it has changed since.
    """
    if not (folder / NAME).is_file():
        raise InputError(
            f"these results have no {NAME}", where=folder, expected="results of a run that ended well",
            fix="the run's command once more, with `--forcerun report`",
        )  # fmt: skip
    whole = read_json(folder / NAME)
    changed = _changed(folder, whole)
    if changed:
        raise InputError(
            "results have changed since their crate was made", where=folder, found=", ".join(changed),
            fix="the run's command once more, with `--forcerun report`",
        )  # fmt: skip
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in TOLD if (folder / name).is_file()}
    hide = hiding(read_json(folder / "run.json").get("config"))
    texts["run.json"] = json.dumps(hide(json.loads(texts["run.json"])), indent=1, ensure_ascii=False) + "\n"
    if "report.html" in texts:
        texts["report.html"] = relinked(str(hide(texts["report.html"])))
    held: dict[str, Path] = {}
    folders: list[str] = []
    new: dict[str, str] = {}
    for each in whole["@graph"]:
        path = folder / unquote(each["@id"])
        kinds = each["@type"] if isinstance(each["@type"], list) else [each["@type"]]
        if each["@id"] in ("./", NAME) or each["@id"].startswith(("#", "ni:")) or not {"File", "Dataset"} & {*kinds}:
            continue
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        needed = "SoftwareSourceCode" in kinds or each["@id"] in NEEDED
        if needed or sum(file.stat().st_size for file in files) <= largest * 1e6:
            folders += [each["@id"]] if path.is_dir() else []
            held |= {file.relative_to(folder).as_posix(): file for file in files}
        else:
            new[each["@id"]] = named(each["sha256"]) if "sha256" in each else f"#left-out/{each['@id']}"
    said = {name: text.encode() for name, text in texts.items()}
    for each in whole["@graph"]:
        if each["@id"] in said:
            content = said[each["@id"]]
            each |= {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    whole = _renamed(whole, new)
    with atomic(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(NAME, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        for name in folders:
            made.mkdir(unquote(name))
        for name, path in held.items():
            if name in said:
                made.writestr(name, said[name])
            else:
                made.write(path, name)
    return sorted(map(unquote, new))


def _changed(folder: Path, whole: dict) -> list[str]:
    """The files of the crate that are gone or others now."""
    told = [each for each in whole["@graph"] if "sha256" in each and not each["@id"].startswith(("#", "ni:"))]
    paths = [(folder / unquote(each["@id"]), each["sha256"]) for each in told]
    return [str(path.relative_to(folder)) for path, sum_ in paths if not path.is_file() or sha256(path) != sum_]


def _renamed(value: object, new: dict[str, str]) -> object:
    """The metadata with other ids; folders that are not held are no parts of it."""
    if isinstance(value, dict):
        found = {key: _renamed(inner, new) for key, inner in value.items()}
        if isinstance(parts := found.get("hasPart"), list):
            found["hasPart"] = [part for part in parts if not part["@id"].startswith("#left-out/")]
        if "@id" in found:
            found["@id"] = new.get(found["@id"], found["@id"])
        return found
    return [_renamed(inner, new) for inner in value] if isinstance(value, list) else value
