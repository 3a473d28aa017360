"""Configuration read by pydantic, with errors that name the key, what stood there and the nearest known key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from deeprc.core.errors import ConfigError, nearest

Model = TypeVar("Model", bound=BaseModel)
DEEPEST = 100  # lists and mappings within each other; Python gives up at about 300 of YAML
MOST = 1_000_000  # characters of YAML, which take some seconds (JSON is read at once); values, aliases written out


def validate(model: type[Model], data: object, *, where: object) -> Model:
    """`data` as an instance of `model`.

    Parameters
    ----------
    where
        What the data are from; a function of the keys that lead to a value, where they are from several places.

    Raises
    ------
    ConfigError
        For the first thing that is wrong: an unknown key comes with the nearest known one.
    """
    if not isinstance(data, dict):
        place = where(()) if callable(where) else where
        raise ConfigError("not a mapping of keys to values", where=place, found=type(data).__name__)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # An unknown key first: a misspelt required key shows as missing too, and the spelling is the cause.
        issues = sorted(error.errors(include_url=False), key=lambda issue: issue["type"] != "extra_forbidden")
        raise _explain(model, issues[0], where) from None


class _StrictLoader(yaml.SafeLoader):
    """YAML, but a key that stands twice in a mapping is an error: the first one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = key.start_mark.line + 1
                if key.value in first:
                    raise _Twice(key.value, first[key.value], line)
                first[key.value] = line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError) as error:  # PyYAML looks at the form alone
            kind = node.tag.rpartition(":")[2]
            raise _Misfit(None, None, f"this is read as {kind}, and is none: {error}", node.start_mark) from None


# YAML 1.1 reads 072 as 58 and 12:30 as 750: nobody means that, and YAML 1.2 has neither. They stay as they are spelt.
_SPELT = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)\Z")


class _Spelt(_StrictLoader):
    """For files that nobody else reads; what Snakemake reads as well has to be read as it does."""

    yaml_implicit_resolvers: ClassVar = {
        first: [("tag:yaml.org,2002:str", _SPELT), *kinds] if first and first in "-+0123456789" else kinds
        for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Misfit(yaml.constructor.ConstructorError):
    """A scalar that looks like a date or a number, and is none: `2026-13-45`."""


class _Twice(Exception):
    """A key, and the two lines that it stands on."""


def read_yaml(path: str | Path, *, spelt: bool = False) -> object:
    """The value in a YAML (or JSON) file; a syntax error names the line, and a key that stands twice is one.

    `spelt`: numbers that are others than they look (072, 12:30) stay as texts.
    """
    path = Path(path)
    try:
        value = _parsed(_text(path), path, _Spelt if spelt else _StrictLoader)
        depth, size = _extent(value, path, (), {})
    except RecursionError:
        depth, size = DEEPEST + 1, 0
    if size > MOST:
        raise ConfigError("aliases (*name) that stand for too much", where=path, found=f"{size} values",
                          expected=f"at most {MOST}", fix="is this the right file?")  # fmt: skip
    if depth > DEEPEST:
        raise ConfigError(
            "lists or mappings too deep within each other",
            where=path,
            found=f"more than {DEEPEST} levels",
            fix="is this the right file, and is each bracket closed?",
        )
    return value


def _parsed(text: str, path: Path, loader: type[_StrictLoader]) -> object:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, path))
    except ValueError:
        pass
    if len(text) > MOST:
        raise ConfigError("too long for a file of YAML", where=path, found=f"{len(text)} characters",
                          expected=f"at most {MOST}", fix="is this the right file?")  # fmt: skip
    try:
        return yaml.load(text, Loader=loader)
    except _Twice as twice:
        key, first, line = twice.args
        raise ConfigError(f"the key {key!r} stands twice in one mapping", where=f"{path}:{line}",
                          found=f"first on line {first}", fix="keep one of them") from None  # fmt: skip
    except yaml.YAMLError as error:
        raise _not_yaml(path, text, error) from None


def read_mapping(path: str | Path) -> dict:
    """The mapping in a YAML (or JSON) file: a configuration."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        found = "nothing" if value is None else f"a {type(value).__name__}"
        fix = "write at least one key, such as `results: results`, or leave the file out" if value is None else None
        raise ConfigError("not a configuration", where=path, found=found, expected="keys with values, `key: value`",
                          fix=fix)  # fmt: skip
    return value


def _extent(value: object, path: Path, above: tuple[int, ...], done: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How deep lists and mappings lie within each other, and how many values they hold with aliases written out.

    A ConfigError where one is a part of itself by an alias.
    """
    if not isinstance(value, dict | list):
        return 0, 1
    if id(value) in above:
        raise ConfigError("a value that is a part of itself: an alias (*name) within its own anchor (&name)",
                          where=path, fix="write out what is meant")  # fmt: skip
    if id(value) not in done:
        within = (*above, id(value))
        inner = [_extent(each, path, within, done) for each in (value.values() if isinstance(value, dict) else value)]
        done[id(value)] = 1 + max((depth for depth, _ in inner), default=0), 1 + sum(size for _, size in inner)
    return done[id(value)]


def lines(path: str | Path) -> dict[tuple[str, ...], int]:
    """The line of each key of a YAML file, by the keys (and indices) that lead to it; none where it cannot be read."""
    try:
        node = yaml.compose(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return dict(_lines(node, ()))


def _lines(node: yaml.Node | None, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield (*above, key.value), key.start_mark.line + 1
                yield from _lines(value, (*above, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*above, str(index)), value.start_mark.line + 1
            yield from _lines(value, (*above, str(index)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except IsADirectoryError:
        raise ConfigError("a folder, where a file is meant", where=path, fix="name the file in it") from None
    except UnicodeDecodeError as error:
        raise ConfigError("not text in UTF-8", where=path, found=f"byte {error.object[error.start]:#04x} at "
                          f"{error.start}", fix="save it as UTF-8") from None  # fmt: skip
    except OSError as error:
        near = _neighbour(path) if isinstance(error, FileNotFoundError) else None
        fix = f"did you mean {near}?" if near else None
        raise ConfigError(f"cannot read this file: {error.strerror}", where=path, fix=fix) from None


def _neighbour(path: Path) -> Path | None:
    """The file beside `path` with the name most like it."""
    try:
        name = nearest(path.name, [other.name for other in path.parent.iterdir() if other.is_file()])
    except OSError:
        return None
    return path.with_name(name) if name else None


def _not_yaml(path: Path, text: str, error: yaml.YAMLError) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)])) or str(error)
    if mark is None:
        return ConfigError(f"not valid YAML: {problem}", where=path)
    rows = text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else "the end of the file"
    tab = "\t" in row[: len(row) - len(row.lstrip())]
    fix = "write spaces: YAML knows no tabs in front of a line" if tab else None
    if isinstance(error, _Misfit):
        fix = "mend it, or put it in quotes where it is meant as text"
    return ConfigError(f"not valid YAML: {problem}", where=f"{path}:{mark.line + 1}", found=repr(row), fix=fix)


def _once(pairs: list[tuple[str, Any]], path: Path) -> dict:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ConfigError(f"the key {key!r} stands twice in one mapping", where=path, fix="keep one of them")
        seen.add(key)
    return dict(pairs)


def _explain(model: type[BaseModel], issue: Any, where: object | Callable[[tuple], object]) -> ConfigError:
    *parents, key = issue["loc"] or ("",)
    dotted = ".".join(str(part) for part in issue["loc"])
    place = where(issue["loc"]) if callable(where) else where
    if issue["type"] == "extra_forbidden":
        known = sorted(_fields(model, parents))
        guess = nearest(str(key), known)
        return ConfigError(
            f"unknown key {dotted!r}",
            where=place,
            found=str(key),
            expected="one of " + ", ".join(known),
            fix=f"did you mean {guess!r}?" if guess else None,
        )
    if issue["type"] == "missing":
        return ConfigError(f"the key {dotted!r} is missing", where=place, fix=f"add {dotted!r}")
    message, found = issue["msg"].removeprefix("Value error, "), issue["input"]
    head = f"key {dotted!r}: " if dotted else ""
    told = "\n" in message  # by an error of ours, with its own lines below
    fix = None if told else _cure(issue["type"], found, message)
    if fix is None and issue["type"] == "model_type":
        known = sorted(_fields(model, issue["loc"]))
        fix = f"write keys below it, of {', '.join(known)}" if dotted else None
    return ConfigError(f"{head}{message}", where=place, found=_shown(found) if dotted and not told else None, fix=fix)


def _shown(value: object, most: int = 200) -> str:
    """A value for people: of a long one, a whole part of a file, how it begins."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def _cure(kind: str, found: object, message: str) -> str | None:
    """What often is the matter with a value of another type than expected; of a word, the nearest of those expected."""
    if kind == "literal_error" and isinstance(found, str):
        guess = nearest(found, re.findall(r"'([^']+)'", message))
        return f"did you mean {guess!r}?" if guess else None
    if kind == "string_type" and isinstance(found, int | float) and not isinstance(found, bool):
        return "write it in quotes, as it is spelt: YAML takes it for a number (and 01022500 for one in base 8)"
    if kind == "int_type" and isinstance(found, str) and _SPELT.match(found):
        return "write it without a zero in front or a colon: some readers of YAML take it for another number"
    if kind == "tuple_type":
        return "write a list, such as [0.7, 0.1]" if isinstance(found, float) else "write a list"
    if kind == "list_type":
        one = isinstance(found, str | int | float)
        return f"write a list, such as [{found}]" if one else "write a list, or leave it out"
    if isinstance(found, str) and found.lstrip().startswith(("{", "[")):
        try:
            yaml.load(found, Loader=_StrictLoader)
        except RecursionError:
            return None
        except (_Twice, yaml.YAMLError) as error:
            return f"mend its YAML: {getattr(error, 'problem', None) or 'a key stands twice'}"
    if found is None and kind in ("model_type", "dict_type"):
        return "write keys below it, or leave it out"
    return None


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
