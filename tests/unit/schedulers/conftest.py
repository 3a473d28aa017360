"""Programs in the place of a batch system's commands."""

import os

import pytest


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that puts programs that print a text first on the PATH; `{name: text}`, or a script."""

    def put(**texts: str) -> None:
        for name, text in texts.items():
            path = tmp_path / name
            path.write_text(text if text.startswith("#!") else f"#!/bin/bash\ncat <<'X'\n{text}\nX\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return put
