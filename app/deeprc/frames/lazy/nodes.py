"""The logical plan: what is wanted, without how the ranks get there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.reading import Column


@dataclass(frozen=True, eq=False, kw_only=True)
class Node(ABC):
    """A step of a plan; `schema` is that of its result, and its inputs are the fields that are nodes."""

    schema: pl.Schema

    @property
    def inputs(self) -> tuple[Node, ...]:
        return ()

    @abstractmethod
    def over(self, *inputs: Node) -> Node:
        """The same step of other inputs that have the columns that it needs; its schema is made anew."""

    @property
    def title(self) -> str:
        """What `explain` calls it."""
        return type(self).__name__.upper()

    @property
    def columns(self) -> list[str]:
        return self.schema.names()


@dataclass(frozen=True, eq=False, kw_only=True)
class Source(Node):
    """Rows from outside of the plan.

    Parameters
    ----------
    rows
        What deals them: a `scan.Files`, or a `Frame`.
    """

    rows: Any

    @property
    def title(self) -> str:
        return f"{self.rows.title} {_columns(self.columns)}"

    def only(self, columns: Sequence[str]) -> Source:
        return replace(self, schema=pl.Schema({name: self.schema[name] for name in columns}))

    def over(self, *inputs: Node) -> Node:
        return self


@dataclass(frozen=True, eq=False, kw_only=True)
class One(Node):
    """A node with one input."""

    input: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)

    def over(self, *inputs: Node) -> Node:
        (input,) = inputs
        if input is self.input:
            return self
        return replace(self, input=input, schema=self.made(empty(input.schema)).collect_schema())

    @abstractmethod
    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """What Polars makes of all rows at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Filter(One):
    predicate: Column

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(self.predicate.expression)

    @property
    def title(self) -> str:
        return f"FILTER {self.predicate.expression}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Project(One):
    """Columns made of columns: these alone, or besides those that there are (`keep`)."""

    made_columns: tuple[Column, ...]
    keep: bool

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        expressions = [column.expression for column in self.made_columns]
        return rows.with_columns(expressions) if self.keep else rows.select(expressions)

    @property
    def title(self) -> str:
        return ("WITH COLUMNS " if self.keep else "SELECT ") + _expressions(self.made_columns)

    @property
    def passed(self) -> dict[str, str]:
        """Columns of the result that are columns of the input, by their names there."""
        from deeprc.frames.lazy.trees import plain_column

        made = {column.name: column for column in self.made_columns}
        kept = {name: name for name in self.input.columns if name not in made} if self.keep else {}
        plain = {name: plain_column(column.tree) for name, column in made.items() if column.tree is not None}
        return kept | {name: source for name, source in plain.items() if source is not None}


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregate(One):
    """A row per group; without keys, one row."""

    keys: tuple[Column, ...]
    made_columns: tuple[Column, ...]

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        expressions = [column.expression for column in self.made_columns]
        if not self.keys:
            return rows.select(expressions)
        return rows.group_by([each.expression for each in self.keys]).agg(expressions)

    @property
    def title(self) -> str:
        by = f" BY {_expressions(self.keys)}" if self.keys else ""
        return f"AGGREGATE {_expressions(self.made_columns)}{by}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Sort(One):
    by: tuple[str, ...]
    descending: tuple[bool, ...]
    nulls_last: tuple[bool, ...]
    maintain_order: bool

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.sort(
            self.by,
            descending=list(self.descending),
            nulls_last=list(self.nulls_last),
            maintain_order=self.maintain_order,
        )

    @property
    def title(self) -> str:
        return "SORT " + ", ".join(
            name + (" descending" if falls else "") + (" nulls last" if last else "")
            for name, falls, last in zip(self.by, self.descending, self.nulls_last, strict=True)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice(One):
    """The rows from `offset` (from the end, when negative) on, `length` of them at most; all where it is None."""

    offset: int
    length: int | None

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.slice(self.offset, self.length)

    @property
    def title(self) -> str:
        return f"SLICE {self.offset}, {self.length}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Unique(One):
    subset: tuple[str, ...]
    keep: str
    maintain_order: bool

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.unique(list(self.subset), keep=self.keep, maintain_order=self.maintain_order)

    @property
    def title(self) -> str:
        return f"UNIQUE {', '.join(self.subset)} (keep {self.keep})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Local(One):
    """What Polars does to every row alone, by one of its methods: explode, drop_nulls, unpivot.

    Parameters
    ----------
    method, arguments
        The method of a LazyFrame and its arguments.
    reads
        The columns without which it cannot be computed; None: all of them.
    """

    method: str
    arguments: dict[str, Any] = field(default_factory=dict)
    reads: tuple[str, ...] | None = None

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return getattr(rows, self.method)(**self.arguments)

    @property
    def title(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.method.upper()} {told}".rstrip()


@dataclass(frozen=True, eq=False, kw_only=True)
class Window(One):
    """Columns beside those that there are, made of all rows with the same `keys`; the rows keep their order."""

    keys: tuple[str, ...]
    made_columns: tuple[Column, ...]

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.with_columns(column.expression for column in self.made_columns)

    @property
    def title(self) -> str:
        return f"WITH COLUMNS {_expressions(self.made_columns)} OVER {', '.join(self.keys)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Whole(One):
    """What can only be computed with all rows on one rank.

    Parameters
    ----------
    call
        What is done to them.
    what, why
        How a person calls it, and what in it needs all rows.
    """

    call: Callable[[pl.LazyFrame], pl.LazyFrame]
    what: str
    why: str

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self.call(rows)

    @property
    def title(self) -> str:
        return f"{self.what} ({self.why}: all rows on one rank)"


def bottom_up(root: Node) -> list[Node]:
    """Every node once, inputs before what is made of them."""
    seen: set[int] = set()
    found: list[Node] = []
    open_ = [(root, False)]  # not by recursion, so that plans of any depth can be looked at
    while open_:
        node, whole = open_.pop()
        if whole:
            found.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            open_ += [(node, True), *((input, False) for input in reversed(node.inputs))]
    return found


def uses(root: Node) -> Counter[int]:
    """How many nodes take each node's result, by its id; the root is taken once."""
    counted = Counter({id(root): 1})
    for node in bottom_up(root):
        counted.update(id(input) for input in node.inputs)
    return counted


def is_cheap(node: Node) -> bool:
    """Whether it costs less to do it again than to keep its result: rows read, filtered, computed row by row."""
    match node:
        case Source():
            return True
        case Filter() | Project():
            return is_cheap(node.input)
    return False


def _columns(names: Sequence[str]) -> str:
    return f"[{', '.join(names[:6])}{f', … {len(names)} columns' if len(names) > 6 else ''}]"


def _expressions(columns: Sequence[Column]) -> str:
    return "[" + ", ".join(str(column.expression) for column in columns) + "]"
