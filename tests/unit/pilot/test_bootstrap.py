"""The shell lines that set an environment up are those of RADICAL-Pilot's own script, for whatever stands in one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeprc.pilot.resource import PATCHES

# Its three calls, of which the last takes over what was to be removed in the one before.
CALLS = """
env_prep -s orig.env -r active.env -t {0}.orig.sh
env_prep -s before.env -r active.env -t {0}.before.sh
env_prep -t {0}.agent.sh > {0}.said
"""
SCRIPT = f"""
. "$UTILS"
create_deactivate() {{ . radical-utils-env.sh; }}
rehash() {{ :; }}
{CALLS.format("theirs")}
unset rem_keys src_keys
. "$OURS"
create_deactivate
{CALLS.format("ours")}
for name in orig before agent; do cmp theirs.$name.sh ours.$name.sh || exit 1; done
cmp theirs.said ours.said
"""
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z_0-9]{0,6}", fullmatch=True) | st.sampled_from(["PS1", "LS_COLORS", "_"])
FUNCTIONS = st.from_regex(r"BASH_FUNC_[a-z]{1,3}(%%|\(\))", fullmatch=True)
VALUES = st.lists(
    st.sampled_from(['"', "\\", "\\n", "{ ", "}", "=", " ", "$x", "`", "'", "é", "a", "() {  b\\n}"])
).map("".join)
VARIABLES = st.dictionaries(NAMES | FUNCTIONS, VALUES, max_size=6)


def write(path: Path, variables: dict[str, str]) -> None:
    """As `env_dump` does: a line each, line breaks as two letters."""
    path.write_text("".join(sorted(f"{name}={value}\n" for name, value in variables.items())))


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess:
    tools = Path(sys.prefix) / "bin" / "radical-utils-env.sh"
    environment = {"PATH": f"{tools.parent}:{os.environ['PATH']}", "UTILS": str(tools)} | variables
    environment["OURS"] = str(PATCHES / "deeprc_bootstrap.sh")
    return subprocess.run(
        ["bash", "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VARIABLES, VARIABLES, VARIABLES)
def test_an_environment_is_set_up_as_radical_pilot_does(tmp_path, orig, before, active):
    for name, variables in {"orig": orig, "before": before, "active": active}.items():
        write(tmp_path / f"{name}.env", variables)
    done = run(tmp_path, FOO='a "b" \\n {', **{"BASH_FUNC_say%%": '() {  echo "a\nb"\n}'})
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_written_gives_the_environment_back(tmp_path):
    """Read by a shell: quotes stay, what is gone is unset."""
    write(tmp_path / "orig.env", {"A": 'x"y', "B": "1=2"})
    write(tmp_path / "before.env", {})
    write(tmp_path / "active.env", {"A": "z", "GONE": "here"})
    assert run(tmp_path).returncode == 0
    show = '. ./ours.orig.sh; echo "$A|$B|${GONE-unset}"'
    done = subprocess.run(
        ["bash", "-c", show], cwd=tmp_path, env={"A": "z", "GONE": "1"}, capture_output=True, text=True
    )
    assert done.stdout == 'x"y|1=2|unset\n'
