"""Finding and reading site files."""

from __future__ import annotations

import os
from pathlib import Path

from deeprc.core.errors import ConfigError, DeepRCError, unknown
from deeprc.core.shipped import find, of_the_user, tell
from deeprc.core.validation import read_yaml, validate
from deeprc.sites.hardware import BROUGHT
from deeprc.sites.keys import describe
from deeprc.sites.model import Site

FOLDER = "site-configs"
# Words that may come twice: `-l select=… -l place=…`.
REPEATS = ("options", "scheduler_options", "launcher_options", "flags", "entry")
# Lists that say something without members: that all was seen (`deeprc doctor --confirm`), and that nothing else works.
EMPTIED = ("unverified", "alternatives")
MEND = "mend this key: docs/add-a-site.md says of each what it holds"


def sites_folder() -> Path:
    """The folder of the site files: $DEEPRC_SITES, else the checkout's, else `site-configs` here."""
    return find("DEEPRC_SITES", FOLDER, "folder of site files", Path.is_dir, besides=True)


def known_sites() -> list[str]:
    """The names of the sites, sorted: the shipped ones, and those of the user's own in the working directory."""
    folders = [sites_folder(), *_own()]
    return sorted({path.parent.name for folder in folders for path in folder.glob("*/site.yaml")})


def site_file(name: str) -> Path:
    """The file of a known site. One of Deep RC's own comes before one in the working directory."""
    shipped = sites_folder() / name / "site.yaml"
    own = [path for folder in _own() if (path := folder / name / "site.yaml").is_file()]
    if not shipped.is_file():
        return of_the_user(own[0], f"file of site {name!r}")
    if own:
        tell(f"{own[0]} is not read, Deep RC has a site {name!r} of its own; to use this one: --site {own[0].parent}")
    return shipped


def _own() -> list[Path]:
    """The working directory's `site-configs`, which is looked at besides the shipped one; none where that is it."""
    here = Path(FOLDER).absolute()
    if "DEEPRC_SITES" in os.environ or not here.is_dir() or here.samefile(sites_folder()):
        return []
    return [here]


def load_site(name: str | Path) -> Site:
    """The site of that name, or the one in a file (a site.yaml, or its folder). A known name is never a path."""
    path = file_of(name)
    content = with_hardware(read_yaml(path, spelt=True), path)
    if wrong := _idle_list(content, ""):
        raise ConfigError(wrong[0], where=path, fix=wrong[1])
    try:
        return validate(Site, content, where=path)
    except ConfigError as error:
        if error.fix is None and "\n" not in error.problem:
            error = ConfigError(error.problem, where=error.where, found=error.found, expected=error.expected, fix=MEND)
        raise error from None


def _idle_list(value: object, place: str) -> tuple[str, str] | None:
    """A list without members, or with one twice, where that cannot be meant; and what to do about it."""
    if isinstance(value, list) and place.rpartition(".")[2] not in REPEATS:
        if not value and place and place.rpartition(".")[2] not in EMPTIED:
            return f"key {place!r}: an empty list says nothing", "leave the key out, or name its members"
        plain = [each for each in value if isinstance(each, str | int)]
        if twice := [each for number, each in enumerate(plain) if each in plain[:number]]:
            return f"key {place!r}: {twice[0]!r} stands twice", "keep one of them"
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = (_idle_list(each, f"{place}.{key}".lstrip(".")) for key, each in inner)
    return next(filter(None, found), None)


def file_of(name: str | Path) -> Path:
    """The site.yaml of that name, or the one that is given as a file or folder. A known name is never a path."""
    path = Path(name)
    if os.sep not in str(name) and str(name) in known_sites():
        path = site_file(str(name))
    elif path.is_dir() and (path / "site.yaml").is_file():
        path = path / "site.yaml"
    elif not path.is_file():
        if os.sep in str(name):
            raise ConfigError("no such site file", where=path, expected="a site.yaml, or a folder that holds one")
        raise unknown("site", str(name), known_sites(), where=sites_folder())
    return path


def readable_sites() -> tuple[list[Site], list[DeepRCError]]:
    """The known sites, and what is wrong with files that cannot be read: one of these does not hide the others."""
    sites, broken = [], []
    for name in known_sites():
        try:
            sites.append(load_site(name))
        except DeepRCError as error:
            broken.append(error)
    return sites, broken


def with_hardware(data: object, path: Path) -> object:
    """A site file's content, each partition filled up with the keys of the hardware that it names."""
    partitions = data.get("partitions") if isinstance(data, dict) else None
    if not isinstance(partitions, list):
        return data
    beside = path.resolve().parent.parent / "hardware"
    folder = beside if beside.is_dir() else sites_folder() / "hardware"
    return data | {"partitions": [_filled(partition, folder, path) for partition in partitions]}


def _filled(partition: object, folder: Path, path: Path) -> object:
    name = partition.get("hardware") if isinstance(partition, dict) else None
    if not isinstance(name, str):
        return partition
    known = {file.stem: file for file in folder.glob("*.yaml")}
    if name not in known:
        raise unknown("hardware", name, known, where=path)
    shared = read_yaml(known[name], spelt=True)
    if not isinstance(shared, dict):
        raise ConfigError("not a mapping of keys to values", where=known[name])
    return {**shared, **partition}


def site_schema() -> dict:
    """The JSON Schema of site files, for editors. What a partition's hardware may bring is not required in it."""
    schema = Site.model_json_schema()
    partition = schema["$defs"]["Partition"]
    partition["anyOf"] = [{"required": ["hardware"]}, {"required": [*BROUGHT]}]
    partition["required"] = [key for key in partition["required"] if key not in BROUGHT]
    for key in ("cores", "memory_mb", "architecture"):  # `detect` stands for what this machine has
        partition["properties"][key] = {"anyOf": [partition["properties"][key], {"const": "detect"}]}
    partition["properties"]["launcher"]["anyOf"].insert(0, {"type": "string"})  # a name alone
    for key in ("environment", "container"):  # 1 and true are read as the texts that are meant
        patterns = schema["$defs"]["Setting"]["properties"][key]["patternProperties"]
        patterns |= {pattern: {"type": ["string", "number", "boolean"]} for pattern in patterns}
    describe(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Deep RC site file"}
