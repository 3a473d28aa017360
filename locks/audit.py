"""Known vulnerabilities of what the locks hold: `make audit`; `make audit ARGS="-s osv"` asks OSV instead of the index.

Exit status: 0 none known, 1 some, 3 where not every package could be asked for. pip-audit's own does not tell the last
two from the others: it ends with 1 without a network, and with 0 where the index answers that it knows no package.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
UNASKED = 3


def locked() -> list[str]:
    """Every `package==version` of the locks, whatever the platform; a build (+cpu) counts as its version."""
    texts = [lock.read_text() for lock in LOCKS.glob("*.txt")]
    return sorted({pin for text in texts for pin in re.findall(r"^[\w.-]+==[^\s+]+", text, flags=re.M)})


def verdict(dependencies: list[dict]) -> tuple[int, list[str]]:
    """The exit status and what to print, of pip-audit's list of packages."""
    lines = []
    for each in dependencies:
        for found in each.get("vulns", []):
            names = ", ".join([found["id"], *found.get("aliases", [])])
            mended = ", ".join(found["fix_versions"]) or "nothing yet"
            lines.append(f"{each['name']} {each['version']}: {names}; mended in: {mended}")
    unasked = [each for each in dependencies if "skip_reason" in each]
    vulnerable = bool(lines)
    if unasked:
        names = ", ".join(each["name"] for each in unasked[:3]) + (", …" if len(unasked) > 3 else "")
        lines.append(f"error: {len(unasked)} of {len(dependencies)} packages could not be asked for: {names}")
        lines.append(f"  found: {unasked[0]['skip_reason']}")
    if not lines:
        lines = [f"{len(dependencies)} packages, no known vulnerability"]
    return 1 if vulnerable else UNASKED if unasked else 0, lines


def main() -> int:
    """Ask for each lock's packages."""
    with tempfile.TemporaryDirectory(prefix="deeprc-audit-") as folder:
        pins, out = Path(folder) / "pins.txt", Path(folder) / "audit.json"
        pins.write_text("\n".join(locked()))
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
        command += ["--format", "json", "--output", str(out), "--requirement", str(pins), *sys.argv[1:]]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if not out.exists() or not (text := out.read_text()):
            last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
            print(f"error: the vulnerabilities could not be asked for\n  found: {last[:300]}", file=sys.stderr)
            return UNASKED
    status, lines = verdict(json.loads(text)["dependencies"])
    print("\n".join(lines), file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
