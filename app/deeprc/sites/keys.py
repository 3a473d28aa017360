"""Every key of site.yaml in words, with an example of it from a real site: `deeprc site keys`, and editors' schema."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import yaml

from deeprc.core.errors import ConfigError
from deeprc.core.validation import read_yaml
from deeprc.sites.fact import Fact, Strict
from deeprc.sites.hardware import BROUGHT, Partition
from deeprc.sites.model import Site

TEXTS = Path(__file__).with_name("keys.yaml")
EVERY = "*"  # stands for the part in the keys that every part has


def keys(part: type[Strict] = Site, above: str = "") -> Iterator[tuple[str, type[Strict], str]]:
    """All keys of the site file, `partitions.accelerator.count`, with the model that has each and its field.

    `*.mark` and the other keys that every part has stand once, at the end.
    """
    for name, field in part.model_fields.items():
        if name in Fact.model_fields:
            continue
        yield f"{above}{name}", part, name
        for inner in _parts(field.annotation):
            yield from keys(inner, f"{above}{name}.")
    if not above:
        yield from ((f"{EVERY}.{name}", Fact, name) for name in Fact.model_fields)


def _parts(annotation: object) -> list[type[Strict]]:
    """The parts of the file that a value may be."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return list(dict.fromkeys(part for inner in get_args(annotation) for part in _parts(inner)))


@functools.cache
def texts() -> dict[str, dict[str, str]]:
    """`means` of each key, and the `site` that its example is from."""
    return read_yaml(TEXTS)


def describe(schema: dict) -> None:
    """Write what each key means into the site file's JSON Schema."""
    meaning: dict[tuple[str, str], str | None] = {}
    for path, part, name in keys():  # of a part that stands in two places, the first one explains
        meaning.setdefault((part.__name__, name), texts().get(path, {}).get("means"))
    common = {name: meaning["Fact", name] for name in Fact.model_fields}
    for title, part in [("Site", schema), *schema["$defs"].items()]:
        if "description" in part:  # the model's docstring: the keys below it have their own
            part["description"] = " ".join(part["description"].partition("\n\n")[0].split())
        for name, value in part.get("properties", {}).items():
            if text := meaning.get((title, name)) or common.get(name):
                value["description"] = text


def table_of(paths: Iterable[str]) -> str:
    """The keys as a table of Markdown: whether each must stand in its part, what it means, and an example."""
    needed = {path: _required(part, name) for path, part, name in keys()}
    rows = [f"| `{path}` | {needed[path]} | {texts()[path]['means']} | {_shown(path)} |" for path in paths]
    return "\n".join(["| key | required | meaning | example |", "|---|---|---|---|", *rows]) + "\n"


def _required(part: type[Strict], name: str) -> str:
    if not part.model_fields[name].is_required():
        return ""
    return "yes, or in its `hardware`" if part is Partition and name in BROUGHT else "yes"


def _shown(path: str) -> str:
    """The example: as the site that the text names has it, else as nobody needs it yet."""
    text = texts()[path]
    if "site" not in text:
        return f"`{text['example']}` (no shipped site has it)"
    from deeprc.sites.load import known_sites  # it describes its schema by this module

    if text["site"] not in known_sites():  # with DEEPRC_SITES
        return ""
    shown = example(path, _file(text["site"]))
    if shown is None:
        raise ConfigError(f"site {text['site']} has no {path} any more", where=TEXTS, fix="name a site that has it")
    return f"`{shown}` ({text['site']})"


@functools.cache
def _file(name: str) -> object:
    """A shipped site's file as it stands, with the hardware that its partitions name."""
    from deeprc.sites.load import site_file, with_hardware

    return with_hardware(read_yaml(site_file(name)), site_file(name))


def example(path: str, content: object) -> str | None:
    """The key as a site file has it: `launcher.pmi` as `pmi: [cray, pmi2]`; None where it does not stand there."""
    *above, name = path.split(".")
    for value in _values(content, above):
        if isinstance(value, dict) and name in value:
            return f"{name}: {_flow(value[name])}"
    return None


def _values(value: object, path: list[str]) -> Iterator[object]:
    if isinstance(value, list):
        for inner in value:
            yield from _values(inner, path)
    elif not path:
        yield value
    elif isinstance(value, dict):
        inner = list(value.values()) if path[0] == EVERY else [value[path[0]]] if path[0] in value else []
        for each in inner:
            yield from _values(each, path[1:])


def _flow(value: object, most: int = 90) -> str:
    """A value in one line; of a long list or mapping, what stands first."""
    if isinstance(value, dict | list) and len(json.dumps(value, default=str)) > most:
        first = next(iter(value)) if isinstance(value, list) else next(iter(value.items()))
        if isinstance(value, list):
            return f"[{_flow(first)}, …]" if len(value) > 1 else f"[{_flow(first)}]"
        return f"{{{first[0]}: {_flow(first[1])}, …}}"
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
