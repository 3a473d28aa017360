"""Make the packages of a Spack view part of the virtual environment whose Python runs this.

`python join.py VIEW LOCK OUT`. A venv over a view's Python is a venv over the Python below it, and sees nothing of the
view (spack-packages#472): a `.pth` file names the view's folders instead. OUT is LOCK without the packages that are
compiled in the view: no wheel may stand before what Spack has built against the machine.
"""

import re
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path


def main(view: str, lock: str, out: str) -> int:
    """Write the `.pth` file and the shorter lock; exit 1 where the view has no packages for this Python."""
    places = [
        sysconfig.get_path(name, "posix_prefix", {"base": view, "platbase": view}) for name in ("purelib", "platlib")
    ]
    folders = [path for path in dict.fromkeys(places) if Path(path).is_dir()]
    if not folders:
        print(
            f"error: the view has no packages for Python {sysconfig.get_python_version()}",
            f"  where: {view}",
            f"  expected: {places[0]}",
            "  fix: make the environment with the view's own Python",
            sep="\n",
            file=sys.stderr,
        )
        return 1
    # addsitedir, not the bare path: it reads the .pth files there, too.
    lines = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in folders)
    (Path(sysconfig.get_path("purelib")) / "deeprc-spack.pth").write_text(lines)
    compiled = {normal(found.metadata["Name"]) for found in distributions(path=folders) if is_compiled(found)}
    entries = re.split(r"^(?=[^\s#])", Path(lock).read_text(encoding="utf-8"), flags=re.M)
    kept = [entry for entry in entries if normal(re.split("[=\\s]", entry, maxsplit=1)[0]) not in compiled]
    Path(out).write_text("".join(kept), encoding="utf-8")
    return 0


def is_compiled(found) -> bool:
    """Whether a package was built for this machine; one without the file that tells, too."""
    return "root-is-purelib: true" not in (found.read_text("WHEEL") or "").lower()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
