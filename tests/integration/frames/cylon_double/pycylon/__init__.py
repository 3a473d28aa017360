"""NOT CYLON: a double that records calls of pycylon 0.6, as they are documented, and has Polars answer them on rank 0.

It shows that Deep RC makes the documented calls, and what becomes of their answers; not that Cylon gives these.
"""

import sys

import polars as pl
import pyarrow as pa

CALLS = []


class CylonEnv:
    def __init__(self, config, distributed):
        assert distributed
        self.comm = config.comm


class DataFrame:
    def __init__(self, table):
        assert isinstance(table, pa.Table)
        self.rows = pl.from_arrow(table)

    def to_arrow(self):
        return self.rows.to_arrow()

    def _all(self, env):
        tables = env.comm.allgather(self.rows.to_arrow())
        rows = pl.concat(map(pl.from_arrow, tables))
        return rows if env.comm.rank == 0 else rows.clear()

    def _made(self, call, rows):
        CALLS.append(call)
        made = object.__new__(DataFrame)
        made.rows = rows
        return made

    def merge(self, right, how, on, algorithm, env):
        """Both sides' keys, and names with a prefix."""
        assert algorithm == "sort"
        ours, theirs = self._all(env), right._all(env)
        copies = theirs.with_columns(pl.col(name).alias(f"copy {name}") for name in on)
        found = ours.join(copies, on=on, how=how)
        rest = [name for name in theirs.columns if name not in on]
        rows = found.select(*ours.columns, *(f"copy {name}" for name in on), *rest)
        return self._made(f"merge {how} {on}", rows.rename({name: f"x_{name}" for name in ours.columns}))

    def sort_values(self, by, env):
        return self._made(f"sort_values {by}", self._all(env).sort(by))

    def groupby(self, by, env):
        rows = self._all(env)

        class Groups:
            def agg(_, spec):
                asked = [getattr(pl.col(c), f)().alias(f"{f}_{c}") for c, each in spec.items() for f in each]
                return self._made(f"groupby {by} {spec}", rows.group_by(by).agg(asked))

        return Groups()


sys.modules[__name__].__version__ = "0.6.0"
