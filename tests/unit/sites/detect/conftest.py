"""Folders laid out as the kernel does."""

from pathlib import Path

import pytest


@pytest.fixture
def tree(tmp_path):
    """A function that writes files below a root and returns it; a value that begins with `->` is a link."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("->"):
                path.symlink_to(text[2:])
            else:
                path.write_text(text + "\n")
        return tmp_path

    return write
