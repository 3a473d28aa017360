"""The pages of docs/ as a site has them: README.md in front, the reference beside, links to files as their paths.

`stage.py OUT`: the folder is made anew.
"""

import re
import shutil
import sys
from pathlib import Path

import reference

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)")
FILE = re.compile(r"\[([^\]]*)\] \((`[^)]*`)\)")
# What a page of the repository is called on the site.
PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "report-a-hole.md",
    "CONTRIBUTING.md": "taking-part.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CHANGELOG.md": "changes.md",
}


def staged(text: str, source: Path) -> str:
    """A page's text: a link to a page leads there, to any other file it is that file's path."""

    def target(found: re.Match) -> str:
        path, _, part = found[1].partition("#")
        there = (source.parent / path).resolve()
        if not there.exists():
            raise SystemExit(f"error: {source.relative_to(ROOT)}: the link {found[1]} leads to nothing")
        inside = there.relative_to(ROOT).as_posix()
        if inside == "docs/sites":
            inside = "docs/sites/README.md"
        if there.is_relative_to(ROOT / "docs") or inside in PAGES:
            up = "../" * (len(name(source).parts) - 1)
            return f"]({up}{name(ROOT / inside).as_posix()}{'#' + part if part else ''})"
        return f"] (`{inside}`)"

    text = LINK.sub(target, text)
    return re.sub(
        r"\[([^\]]*)\] \((`[^)]*`)\)", lambda link: link[2] if link[2] in link[1] else f"{link[1]} ({link[2]})", text
    )


def name(source: Path) -> Path:
    """The path of a page below the site's folder."""
    inside = source.relative_to(ROOT).as_posix()
    return Path(PAGES.get(inside) or inside.removeprefix("docs/"))


def main(out: Path) -> None:
    """Make the folder."""
    shutil.rmtree(out, ignore_errors=True)
    for source in [*sorted((ROOT / "docs").rglob("*")), *(ROOT / page for page in PAGES)]:
        if source.is_dir():
            continue
        to = out / name(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            to.write_text(staged(source.read_text(encoding="utf-8"), source), encoding="utf-8")
        else:
            shutil.copyfile(source, to)
    for page, text in reference.pages().items():
        (out / "reference").mkdir(exist_ok=True)
        (out / "reference" / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
