"""Where Debian's packages come from: this machine's own apt sources, so that no address is in the project."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deeprc.images.errors import ImageError

SUITE = "bookworm"
HERE = Path("/etc/apt")
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def mirror(sources: Path = HERE) -> str:
    """The mirror that this machine takes Debian from."""
    for url, suites in _entries(sources / "sources.list.d/debian.sources", sources / "sources.list"):
        if not any(suite.endswith("-security") for suite in suites):
            return url
    raise ImageError(
        "no mirror of Debian in this machine's apt sources",
        where=sources,
        fix="name one with --mirror (any machine can build; Debian's is only where the packages come from)",
    )


def security_mirror(sources: Path = HERE) -> str:
    """The mirror that this machine takes Debian's security updates from.

    Raises
    ------
    ImageError
        Where it has none: images without security updates are not built in silence.
    """
    first = [sources / "sources.list.d/debian.sources", sources / "sources.list"]
    for url, suites in _entries(*first, *sorted(sources.glob("sources.list.d/*"))):
        if any(suite.endswith("-security") for suite in suites):
            return url
    raise ImageError(
        "no mirror of Debian's security suite in this machine's apt sources",
        where=sources,
        expected=f"one with the suite {SUITE}-security",
        fix="name it with --security-mirror, or add it to the sources",
    )


def lines(main: str | None = None, security: str | None = None) -> str:
    """apt's sources.list of the suite, its updates and its security updates; this machine's mirrors where None."""
    main = main or mirror()
    rows = [(main, SUITE), (main, f"{SUITE}-updates"), (security or security_mirror(), f"{SUITE}-security")]
    return "".join(f"deb {url} {suite} main\n" for url, suite in rows)


def configure(folder: Path, sources: str) -> None:
    """Fill a folder for an image's apt, which finds it as /opt/apt: sources, and the way to them from this machine."""
    folder.mkdir()
    (folder / "sources.list").write_text(sources, encoding="utf-8")
    rows = ['Dir::Etc::sourcelist "/opt/apt/sources.list";', 'Dir::Etc::sourceparts "-";', 'Acquire::Languages "none";']
    if " file:" in sources:  # apt's own user need not be let into the folder
        rows.append('APT::Sandbox::User "root";')
    if bundle := next(filter(os.path.isfile, CERTIFICATES), None):
        shutil.copy(bundle, folder / "ca.crt")
        rows.append('Acquire::https::CaInfo "/opt/apt/ca.crt";')
    for name in ("http", "https"):
        if proxy := os.environ.get(f"{name}_proxy"):
            rows.append(f'Acquire::{name}::Proxy "{proxy}";')
    (folder / "apt.conf").write_text("\n".join([*rows, ""]), encoding="utf-8")


def _entries(*files: Path) -> Iterator[tuple[str, list[str]]]:
    """Address and suites of each entry, in both of apt's forms."""
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".sources":
            for block in text.split("\n\n"):
                fields = dict(line.split(":", 1) for line in block.splitlines() if line[:1].isalpha() and ":" in line)
                if "URIs" in fields:
                    yield fields["URIs"].split()[0], fields.get("Suites", "").split()
        elif file.suffix == ".list":
            for line in text.splitlines():
                words = [word for word in line.split() if not (word.startswith("[") or word.endswith("]"))]
                if len(words) > 2 and words[0] == "deb":
                    yield words[1], [words[2]]
