"""Steps of a plan from what a user writes: checked by Polars on no rows, taken apart into what ranks can do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.lazy.apart import one_row, why_whole
from deeprc.frames.lazy.counts import counted
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Filter, Node, Project, Whole, Window
from deeprc.frames.lazy.reading import Column, expand
from deeprc.frames.lazy.several import Values
from deeprc.frames.lazy.trees import column as column_tree
from deeprc.frames.lazy.trees import expression_of, key, plain_column, replaced
from deeprc.frames.names import free, known, no_patterns

MANY = 100  # predicates


def expressions(given: Iterable[Any], named: Mapping[str, Any] | None = None) -> list[pl.Expr]:
    """What Polars takes for expressions: names, expressions, values, lists of them, and those under a name.

    Raises
    ------
    TypeError
        For a dictionary, as `agg` of Polars.
    """
    found = []
    for each in given:
        if isinstance(each, Mapping):  # of it the names alone would be taken, and the columns made lists
            raise TypeError(
                "a dictionary is no expression in a lazy frame: write agg(pl.col('x').sum()), "
                "or collect() it and use Frame.groupby(…).agg({'x': 'sum'})"
            )
        if isinstance(each, Iterable) and not isinstance(each, str | bytes | pl.Expr | pl.Series):
            found += expressions(each)
        else:
            found.append(_expression(each))
    return found + [_expression(value).alias(name) for name, value in (named or {}).items()]


def predicates(given: Iterable[Any]) -> list[pl.Expr]:
    """What Polars' `filter` takes: as `expressions`, but truth values in a list are those of the rows, one by one."""
    found = []
    for each in given:
        several = isinstance(each, Iterable) and not isinstance(each, str | bytes | pl.Expr | pl.Series | Mapping)
        values = list(each) if several else []
        if values and all(isinstance(value, bool | np.bool_) for value in values):
            found.append(pl.lit(pl.Series(values, dtype=pl.Boolean)))
        else:
            found += predicates(values) if several else expressions([each])
    return found if len(found) <= MANY else [pl.all_horizontal(found)]  # each would be a step


def checked(method: str, schema: Mapping[str, pl.DataType], made: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.Schema:
    """The schema of what Polars makes of no rows.

    Raises
    ------
    InputError
        When Polars refuses, with the nearest name for a column that does not exist; for a name that is a pattern.
    """
    try:
        found = made(empty(schema)).collect_schema()
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise refused(method, error, list(schema)) from error
    no_patterns(found)
    return found


def refused(method: str, error: Exception, columns: Sequence[str]) -> InputError:
    """Polars' own error as one of ours."""
    missing = re.search(r'unable to find column "(.*?)"', str(error))
    if isinstance(error, pl.exceptions.ColumnNotFoundError):
        name = missing[1] if missing else str(error).splitlines()[0].strip('"')
        known([name], columns)
    return InputError(f"{method}: {str(error).splitlines()[0]}", found=", ".join(columns))


def project(input: Node, made: Sequence[pl.Expr], keep: bool) -> Node:
    """`select`, or `with_columns` (`keep`)."""
    method = "with_columns" if keep else "select"

    def call(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.with_columns(made) if keep else rows.select(made)

    schema = checked(method, input.schema, call)
    if not keep and len(made) == 1:
        counts = counted(input, made[0], schema, lambda node, expressions: project(node, expressions, keep=False))
        if counts is not None:
            return counts
    columns = _columns(made, input.schema)
    if columns is None or not _same(input.schema, columns, keep, schema):
        return Whole(schema=schema, input=input, call=call, what=method.upper(), why="an expression that makes several")
    why = why_whole(columns, input.schema)
    if not keep and not any(column.needs.rows for column in columns) and why is None:
        return one_row(input, columns, schema)
    if why is not None:
        return Whole(schema=schema, input=input, call=call, what=method.upper(), why=why)
    if all(column.needs.rowwise for column in columns):
        return Project(schema=schema, input=input, made_columns=tuple(columns), keep=keep)
    below, columns = _with_scalars(input, columns)
    below, columns = _with_windows(below, columns)
    rest = list(input.columns) if keep else []
    own = {column.name: column for column in columns}
    names = list(dict.fromkeys([*rest, *own])) if keep else list(own)
    final = tuple(own.get(name) or plain(name) for name in names)
    return Project(schema=schema, input=below, made_columns=final, keep=False)


def filtered(input: Node, predicates: Sequence[pl.Expr]) -> Node:
    """`filter`, with all predicates true."""
    for predicate in predicates:
        schema = checked("filter", input.schema, lambda rows, p=predicate: rows.filter(p))
        columns = expand(predicate, input.schema)
        if columns is None:
            columns = expand(pl.all_horizontal(predicate), input.schema)
        why = "an expression that makes several" if columns is None else why_whole(columns, input.schema)
        if why is not None:
            input = Whole(schema=schema, input=input, call=lambda r, p=predicate: r.filter(p), what="FILTER", why=why)
            continue
        below, columns = _with_scalars(input, columns)
        below, columns = _with_windows(below, columns)
        for column in columns:
            below = Filter(schema=below.schema, input=below, predicate=column)
        input = below if below.columns == input.columns else only(below, input.columns)
    return input


def only(input: Node, names: Sequence[str]) -> Node:
    """The input with these columns."""
    schema = pl.Schema({name: input.schema[name] for name in names})
    return Project(schema=schema, input=input, made_columns=tuple(map(plain, names)), keep=False)


def plain(name: str, new: str | None = None) -> Column:
    """A column of the input, under another name if one is given."""
    if new is None or new == name:
        return Column(name, pl.col(name), column_tree(name))
    return Column(new, pl.col(name).alias(new), {"Alias": [column_tree(name), new]})


def _with_scalars(input: Node, columns: Sequence[Column]) -> tuple[Node, list[Column]]:
    """The input with the aggregates of all rows that the columns need, each as a column of one value."""
    wanted = {key(tree): tree for column in columns for tree in column.needs.aggregates}
    if not wanted:
        return input, list(columns)
    names = {text: free(input.columns, f"value {number}") for number, text in enumerate(wanted)}
    made = tuple(
        Column(names[text], expression_of(tree).alias(names[text]), {"Alias": [tree, names[text]]})
        for text, tree in wanted.items()
    )
    schema = empty(input.schema).select(c.expression for c in made).collect_schema()
    one = one_row(input, made, schema)
    valued = Values(schema=pl.Schema({**input.schema, **schema}), input=input, row=one)

    def change(node):
        # The aggregates within a window are of its rows alone.
        if isinstance(node, dict) and "Over" in node:
            return node
        name = names.get(key(node)) if isinstance(node, dict) or node == "Len" else None
        return None if name is None else column_tree(name)

    return valued, [_renamed(column, replaced(column.tree, change)) for column in columns]


def _with_windows(input: Node, columns: Sequence[Column]) -> tuple[Node, list[Column]]:
    """The input with the columns that need all rows of a key, made of these."""
    result, by_keys = list(columns), {}
    for index, column in enumerate(columns):
        windows = column.needs.windows
        if not windows:
            continue
        if len(windows) > 1:
            raise InputError(
                f"column {column.name!r} has windows over different keys",
                found=column.expression,
                expected="one key in an expression",
                fix="make a column of each window first, with with_columns",
            )
        by_keys.setdefault(next(iter(windows)), []).append(index)
    for text, indices in by_keys.items():
        trees = next(iter(columns[indices[0]].needs.windows.values()))
        input, keys = _with_keys(input, trees)
        made = []
        for index in indices:
            name = free([*input.columns, *(c.name for c in made)], f"window {index}")
            made.append(Column(name, columns[index].expression.alias(name), {"Alias": [columns[index].tree, name]}))
            result[index] = plain(name, columns[index].name)
        del text
        schema = empty(input.schema).with_columns(c.expression for c in made).collect_schema()
        input = Window(schema=schema, input=input, keys=tuple(keys), made_columns=tuple(made))
    return input, result


def _with_keys(input: Node, trees: Sequence[Any]) -> tuple[Node, list[str]]:
    """The input with a column for each of these expressions."""
    keys, made = [], []
    for tree in trees:
        name = plain_column(tree)
        if name is None:
            name = free([*input.columns, *keys], "window key")
            made.append(Column(name, expression_of(tree).alias(name), {"Alias": [tree, name]}))
        keys.append(name)
    if made:
        schema = empty(input.schema).with_columns(c.expression for c in made).collect_schema()
        input = Project(schema=schema, input=input, made_columns=tuple(made), keep=True)
    return input, keys


def _renamed(column: Column, tree: Any) -> Column:
    tree = {"Alias": [tree, column.name]}
    return Column(column.name, expression_of(tree), tree)


def _columns(made: Sequence[pl.Expr], schema: Mapping[str, pl.DataType]) -> list[Column] | None:
    found = []
    for expression in made:
        columns = expand(expression, schema)
        if columns is None:
            return None
        found += columns
    return found


def _same(schema: Mapping[str, pl.DataType], columns: Sequence[Column], keep: bool, expected: pl.Schema) -> bool:
    """Whether the columns, one by one, are what Polars makes of the expressions."""
    rows = empty(schema)
    made = [column.expression for column in columns]
    try:
        found = (rows.with_columns(made) if keep else rows.select(made)).collect_schema()
    except pl.exceptions.PolarsError:
        return False
    return list(found.items()) == list(expected.items())


def _expression(value: Any) -> pl.Expr:
    if isinstance(value, pl.Expr):
        return value
    if isinstance(value, str):
        return pl.col(value)
    if callable(getattr(value, "then", None)) or hasattr(value, "otherwise"):  # when(…).then(…) without an end
        return value.otherwise(None)
    return pl.lit(value)
