"""A table from a text, and the error for one that cannot be read."""

from __future__ import annotations

import pytest

from deeprc.applications.base.tabular import Table, TableOptions, read_table
from deeprc.core.errors import InputError


@pytest.fixture
def table(tmp_path):
    """A function: the table of a text (or bytes), read with some options."""

    def read(content: str | bytes, written: str = "utf-8", **options) -> Table:
        path = tmp_path / "a.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(written))
        return read_table(path, TableOptions(**options))

    return read


@pytest.fixture
def refusal(table, tmp_path):
    """A function: the error of reading a text, or of what `use` does with its table."""

    def fail(content: str | bytes, use=lambda table: None, **options) -> str:
        with pytest.raises(InputError) as error:
            use(table(content, **options))
        return str(error.value).replace(f"{tmp_path}/", "")

    return fail
