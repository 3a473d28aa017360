"""Configuration read by pydantic, with errors that name the key, what stood there and the nearest known key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from deeprc.errors import ConfigError, nearest

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], data: object, *, where: object) -> Model:
    """`data` as an instance of `model`.

    Raises
    ------
    ConfigError
        For the first thing that is wrong: an unknown key comes with the nearest known one.
    """
    if not isinstance(data, dict):
        raise ConfigError("not a mapping of keys to values", where=where, found=type(data).__name__)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # An unknown key first: a misspelt required key shows as missing too, and the spelling is the cause.
        issues = sorted(error.errors(include_url=False), key=lambda issue: issue["type"] != "extra_forbidden")
        raise _explain(model, issues[0], where) from None


def read_yaml(path: str | Path) -> object:
    """The value in a YAML file; a syntax error names the line."""
    path = Path(path)
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read this file: {error.strerror}", where=path) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{path}:{mark.line + 1}" if mark else path
        raise ConfigError(f"not valid YAML: {getattr(error, 'problem', error)}", where=line) from error


def _explain(model: type[BaseModel], issue: Any, where: object) -> ConfigError:
    *parents, key = issue["loc"] or ("",)
    dotted = ".".join(str(part) for part in issue["loc"])
    if issue["type"] == "extra_forbidden":
        known = sorted(_fields(model, parents))
        guess = nearest(str(key), known)
        return ConfigError(
            f"unknown key {dotted!r}",
            where=where,
            found=str(key),
            expected="one of " + ", ".join(known),
            fix=f"did you mean {guess!r}?" if guess else None,
        )
    if issue["type"] == "missing":
        return ConfigError(f"the key {dotted!r} is missing", where=where, fix=f"add {dotted!r}")
    message = issue["msg"].removeprefix("Value error, ")
    head = f"key {dotted!r}: " if dotted else ""
    told = "\n" in message  # by an error of ours, with its own lines below
    return ConfigError(f"{head}{message}", where=where, found=repr(issue["input"]) if dotted and not told else None)


def _fields(model: type[BaseModel], path: list[object]) -> set[str]:
    """The known keys at `path` within `model` (a union of models offers the keys of all)."""
    models = {model}
    for part in path:
        inner = {m.model_fields[str(part)].annotation for m in models if str(part) in m.model_fields}
        # Within a dict or list the part is a free key or an index: the models stay those of its values.
        models = {found for annotation in inner for found in _models(annotation)} or models
    return {name for m in models for name in m.model_fields}


def _models(annotation: object) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and get_origin(annotation) is None:
        return {annotation}
    return {model for inner in get_args(annotation) for model in _models(inner)}
