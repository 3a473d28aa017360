"""The documents as a site: each page of docs/ has its place in the list of pages."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_page_stands_in_the_list_of_pages():
    listed = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", (ROOT / ".ci/docs/mkdocs.yml").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert pages - set(listed) == set()
