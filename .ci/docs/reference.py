"""The reference: what the code itself says of its commands, keys and settings, as pages."""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import typer

MADE = "<!-- Made from the code by `make docs`. -->\n\n"


def pages() -> dict[str, str]:
    """The text of each page, by its name."""
    from deeprc.applications.config import schema
    from deeprc.sites.load import site_schema

    return {
        "commands.md": commands(),
        "configuration.md": keys("Configuration", "workflow", schema()),
        "site-file.md": keys("Site file", "site", site_schema()),
        "executor.md": settings(),
    }


def cell(text: object) -> str:
    """A text as it may stand in a cell of a table."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").replace("<", "&lt;").strip()


def value(default: Any) -> str:
    """A default as one writes it in YAML; nothing for one that is not there, or that has a section of its own."""
    if default in (None, (), []) or isinstance(default, dict) or callable(default):
        return ""
    return f"`{json.dumps(default, default=str)}`"


def table(head: str, rows: list[list[object]]) -> str:
    """A table, whose columns are named in `head`, one word each."""
    names = head.split()
    lines = [names, ["---"] * len(names), *([cell(one) for one in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def commands() -> str:
    """Each command of `deeprc` with its arguments and options."""
    from deeprc.cli import command_line

    root = typer.main.get_command(command_line([]))
    return f"{MADE}# Commands\n\n" + "".join(_command(words, one) for words, one in _walk("deeprc", root))


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, one in getattr(command, "commands", {}).items():
        yield from _walk(f"{words} {name}", one)


def _command(words: str, command: Any) -> str:
    # `\b` and `\f` are how a help text tells the terminal where lines are to be kept and where it ends.
    help_text = (command.help or "").split("\f")[0].replace("\b\n", "").strip()
    text = f"## `{words}`\n\n{help_text}\n\n"
    rows = []
    for one in command.params:
        name = ", ".join(f"`{option}`" for option in [*one.opts, *one.secondary_opts])
        if one.param_type_name == "argument":
            name = f"`{one.name.upper()}`"
        default = "required" if one.required else "" if getattr(one, "is_flag", False) else value(one.default)
        rows.append([name, getattr(one, "help", None) or "", default])
    return text + (table("option meaning default", rows) if rows else "")


def keys(title: str, what: str, schema: dict[str, Any]) -> str:
    """Each key that a JSON schema knows: what it means, what it may be, and what it is when left out."""
    text = f"{MADE}# {title}\n\nAn unknown key is an error that names the nearest known one.\n\n"
    parts = {f"The {what}": schema, **schema.get("$defs", {})}
    for name, part in parts.items():
        text += f"## {name}\n\n{part.get('description', '')}\n\n"
        needed, rows = part.get("required", []), []
        for key, about in part.get("properties", {}).items():
            default = "required" if key in needed else value(about.get("default"))
            rows.append([f"`{key}`", about.get("description", ""), kind(about), default])
        if rows:
            text += table("key meaning kind default", rows)
        if values := part.get("enum"):
            text += f"One of {', '.join(f'`{value}`' for value in values)}.\n\n"
    return text


def kind(about: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "$ref" in about:
        name = about["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if options := about.get("anyOf") or about.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(one) for one in options))
    if "enum" in about or "const" in about:
        return ", ".join(f"`{value}`" for value in about.get("enum", [about.get("const")]))
    if about.get("type") == "array":
        return f"list of {kind(about.get('items', {}))}"
    if about.get("type") == "object" and isinstance(about.get("additionalProperties"), dict):
        return f"by name: {kind(about['additionalProperties'])}"
    return {"null": "nothing", "string": "text", None: "any"}.get(about.get("type"), str(about.get("type")))


def settings() -> str:
    """What `snakemake --radical-pilot-…` and a profile's `radical-pilot-…` know."""
    from snakemake_executor_plugin_radical_pilot import ExecutorSettings

    rows = []
    for one in dataclasses.fields(ExecutorSettings):
        if about := one.metadata.get("help"):
            rows.append([f"`--radical-pilot-{one.name.replace('_', '-')}`", about, value(one.default)])
    text = "In a profile they stand without the two dashes. How they work: [the executor](../executor.md).\n\n"
    return f"{MADE}# Settings of the executor\n\n{text}" + table("setting meaning default", rows)
