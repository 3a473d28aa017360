"""Steps of a logical plan that take several inputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Node


@dataclass(frozen=True, eq=False, kw_only=True)
class Two(Node):
    """A node with two inputs."""

    left: Node
    right: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.left, self.right

    def over(self, *inputs: Node) -> Node:
        left, right = inputs
        if left is self.left and right is self.right:
            return self
        schema = self.made(empty(left.schema), empty(right.schema)).collect_schema()
        return replace(self, left=left, right=right, schema=schema)

    @abstractmethod
    def made(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        """What Polars makes of all rows at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Join(Two):
    left_on: tuple[str, ...]
    right_on: tuple[str, ...]
    how: str
    options: dict[str, Any] = field(default_factory=dict)

    def made(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        if self.how == "cross":
            return left.join(right, how="cross", suffix=self.options["suffix"])
        return left.join(right, left_on=self.left_on, right_on=self.right_on, how=self.how, **self.options)

    @property
    def origins(self) -> dict[str, tuple[str | None, str | None]]:
        """The columns of the result: what they are called on the left and on the right side, None where not there."""
        left, right = self.left.columns, self.right.columns
        if self.how in ("semi", "anti"):
            return {name: (name, None) for name in left}
        pairs = dict(zip(self.left_on, self.right_on, strict=True))
        suffix, coalesce = self.options["suffix"], self.coalesces
        if self.how == "right":
            ours = [name for name in left if not (coalesce and name in pairs)]
            found: dict[str, tuple[str | None, str | None]] = {name: (name, None) for name in ours}
            back = {b: a for a, b in pairs.items()}
            for name in right:
                called = name + suffix if name in found else name
                found[called] = (back.get(name) if coalesce else None, name)
            return found
        found = {name: (name, pairs.get(name) if coalesce else None) for name in left}
        for name in right:
            if coalesce and name in self.right_on:
                continue
            found[name + suffix if name in left else name] = (None, name)
        return found

    @property
    def coalesces(self) -> bool:
        """Whether the keys of both sides become one column."""
        asked = self.options.get("coalesce")
        return self.how in ("inner", "left", "right", "semi", "anti") if asked is None else asked

    @property
    def title(self) -> str:
        on = ", ".join(a if a == b else f"{a} = {b}" for a, b in zip(self.left_on, self.right_on, strict=True))
        return f"{self.how.upper()} JOIN" + (f" ON {on}" if on else "")


@dataclass(frozen=True, eq=False, kw_only=True)
class Values(Node):
    """Columns beside those that there are, each of one value: the one row of another node."""

    input: Node
    row: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.input, self.row

    def over(self, *inputs: Node) -> Node:
        input, row = inputs
        if input is self.input and row is self.row:
            return self
        return replace(self, input=input, row=row, schema=pl.Schema({**input.schema, **row.schema}))

    @property
    def title(self) -> str:
        return f"WITH VALUES {', '.join(self.row.columns)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Node):
    """The rows of several inputs, one after the other; all have the same columns."""

    pieces: tuple[Node, ...]

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.pieces

    def over(self, *inputs: Node) -> Node:
        if all(a is b for a, b in zip(inputs, self.pieces, strict=True)):
            return self
        return replace(self, pieces=inputs, schema=inputs[0].schema)

    @property
    def title(self) -> str:
        return f"CONCAT {len(self.pieces)}"
