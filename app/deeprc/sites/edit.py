"""Changing a few keys of a site file, whose comments and layout stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import yaml

from deeprc.core.errors import ConfigError


def with_keys(text: str, path: Sequence[str | int], values: Mapping[str, object]) -> str:
    """The file's text with these keys of the part at `path` (`["partitions", 0]`) set, and all else as it was.

    Raises
    ------
    ConfigError
        Where the text is written in a way that this cannot change safely, such as with anchors.
    """
    before = yaml.safe_load(text)
    shared = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))  # one change would be two
    for key, value in reversed(values.items()):  # each new one goes in front of the last
        text = _with_key(text, _part(yaml.compose(text), path), key, _flow(value))
    part = before
    for step in path:
        part = part[step]
    part.update(values)
    if shared or yaml.safe_load(text) != before:
        raise ConfigError(f"cannot write {', '.join(values)} into {'.'.join(map(str, path))}", fix="edit it by hand")
    return text


def _part(node: yaml.Node, path: Sequence[str | int]) -> yaml.MappingNode:
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next(value for key, value in node.value if key.value == step)
        else:
            node = node.value[step]
    return node


def _with_key(text: str, part: yaml.MappingNode, key: str, value: str) -> str:
    for name, node in part.value:
        if name.value == key:
            start = node.start_mark.index
            end = start + len(text[start : node.end_mark.index].rstrip())  # of some texts it lies on the next line
            return f"{text[:start]}{value}{text[end:]}"
    if part.flow_style:
        return f"{text[: part.end_mark.index - 1].rstrip()}, {key}: {value}{text[part.end_mark.index - 1 :]}"
    place = part.value[:2][-1][0].start_mark  # the first key names the part
    return f"{text[: place.index]}{key}: {value}\n{' ' * place.column}{text[place.index :]}"


def _flow(value: object) -> str:
    """As YAML in one line; texts in quotes, which are right in every place."""
    if isinstance(value, str) and not value.isalnum():
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return str(value)
