"""The environment of a job, byte by byte: through a file, a shell of ours, and into a real process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deeprc.pilot.worker import surroundings

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"=" not in name and b"\0" not in name)
VALUES = st.binary(max_size=40).filter(lambda value: b"\0" not in value)
ODD = {
    b"A": b'it\'s "a" $HOME `date`\n\\',
    b"EMPTY": b"",
    b"M\xfcller": b"\xfc",
    b"a-b.c": b"no name of a shell",
    b"BASH_FUNC_where%%": b"() {  echo here\n}",
    b"here": b"/tmp",
    b"rank": b"gold",
    b"i": b"7",
    b"start": b"x",
    b"code": b"1",
    b"name": b"n",
    b"IFS": b"_",
    b"SHELLOPTS": b"braceexpand:hashall:interactive-comments:xtrace",
    b"BASH_ENV": b"/nowhere",
    b"POSIXLY_CORRECT": b"y",
    b"CDPATH": b"/usr",
    b"SHLVL": b"5",
    b"PWD": b"/somewhere",
    b"UID": b"12345",
    b"_": b"/bin/it",
    b"LC_ALL": b"xx_YY",
    b"DEEPRC_OF_THE_USER": b"kept",
}


@given(st.dictionaries(NAMES, VALUES))
def test_a_file_holds_any_environment(tmp_path_factory, environment):
    path = tmp_path_factory.getbasetemp() / "any-environment"
    path.write_bytes(surroundings.dump(environment))
    assert surroundings.read(str(path)) == environment


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
def test_a_job_has_the_users_variables_and_no_other_but_the_launchers(theirs, own):
    own = {name: value for name, value in own.items() if not surroundings.MACHINES.match(name)}
    made = surroundings.of_job(theirs, own, shell=False)
    told = {name: value for name, value in own.items() if surroundings.LAUNCHERS.match(name)}
    users = {name: value for name, value in theirs.items() if not surroundings.OURS.match(name)}
    assert made == {**users, **told}


def test_launchers_are_those_that_tell_ranks_who_they_are():
    own = {b"PMI_RANK": b"1", b"SLURM_PROCID": b"1", b"CUDA_VISIBLE_DEVICES": b"0", b"RP_RANK": b"1"}
    others = {b"RADICAL_BASE": b"/x", b"HOME": b"/private", b"SLURMISH": b"1", b"DEEPRC_TOWARDS": b"a"}
    own |= {b"SLURMD_NODENAME": b"n2"}
    assert surroundings.of_job({b"PMI_RANK": b"0", b"A": b"1"}, {**own, **others}, shell=False) == {b"A": b"1", **own}
    network = {b"FI_PROVIDER": b"cxi", b"FI_LOG": b"1"}
    assert surroundings.of_job({b"FI_LOG": b"2"}, network, shell=False) == {b"FI_PROVIDER": b"cxi", b"FI_LOG": b"2"}


def test_what_a_shell_takes_as_its_own_is_put_aside():
    made = surroundings.of_job({b"BASH_ENV": b"/x", b"A": b"1"}, {}, shell=True)
    assert made == {b"DEEPRC_KEPT_BASH_ENV": b"/x", b"A": b"1"}


def test_a_rank_sees_what_a_command_without_any_shell_sees(tmp_path):
    """The whole way of a job of several ranks: the program that sets the environment, our script, the command."""
    from snakemake_executor_plugin_radical_pilot.script import BACK, job_text

    (tmp_path / "environment").write_bytes(surroundings.dump(ODD))
    code = f"import os; open({str(tmp_path / 'seen')!r}, 'wb').write(open('/proc/self/environ', 'rb').read())"
    command = f'{BACK} {sys.executable} -IS -c "{code}"'
    script = job_text(
        label="l", folder=tmp_path, workdir=tmp_path, command=command, ranks=1, repeats=1, variables={"MINE": "1"}
    )
    (tmp_path / "job.sh").write_text(script)
    argv = [sys.executable, "-IS", surroundings.__file__, str(tmp_path / "environment"), "/bin/bash"]
    done = subprocess.run([*argv, str(tmp_path / "job.sh")], env={"PMI_X": "1", "OTHER": "1"}, capture_output=True)
    assert done.returncode == 0, (done, (tmp_path / "out.0").read_bytes())
    seen = surroundings.read(str(tmp_path / "seen"))
    assert seen == {**ODD, b"MINE": b"1", b"PMI_X": b"1", b"RP_RANK": b"0"}
    assert len((tmp_path / "times").read_text().split()) == 2


def test_a_rank_of_several_ends_what_it_leaves_behind_and_ignores_no_signal(tmp_path):
    from snakemake_executor_plugin_radical_pilot.script import job_text

    (tmp_path / "environment").write_bytes(surroundings.dump({b"PATH": os.fsencode(os.environ["PATH"])}))
    line = "sleep 876 & echo $! > left; setsid sh -c 'echo $$ >> left; exec sleep 876' & sleep 0.5"
    line += "; grep SigIgn /proc/self/status"
    script = job_text(
        label="l", folder=tmp_path, workdir=tmp_path, command=f"sh -c {shlex.quote(line)}", ranks=2, repeats=1,
        variables={},
    )  # fmt: skip
    (tmp_path / "job.sh").write_text(script)
    argv = [sys.executable, "-IS", surroundings.__file__, str(tmp_path / "environment"), "/bin/bash"]
    ignoring = ["/bin/bash", "-c", 'trap "" INT QUIT TTIN TSTP; exec "$@"', "-", *argv]
    subprocess.run([*ignoring, str(tmp_path / "job.sh")], check=True, timeout=60, start_new_session=True)
    ignored = int((tmp_path / "out.0").read_text().split()[1], 16)
    # 32 and 33 are the C library's own: nobody can set them back, and some machines start everything with 32 ignored.
    assert [number for number in range(1, 65) if ignored >> number - 1 & 1 and number not in (32, 33)] == []
    assert len(left := (tmp_path / "left").read_text().split()) == 2
    assert [pid for pid in left if Path(f"/proc/{pid}").exists()] == []


def test_a_program_that_seeds_leaves_the_next_one_of_its_process_its_own_numbers():
    """Ranks that had all seeded alike would draw the same numbers from then on."""
    draw = "import random; print(random.random()); random.seed(0)"
    both = (
        f"from program import main; main(['-c', {draw!r}], ''); main(['-c', {draw!r}], ''); main(['-c', {draw!r}], '')"
    )
    folder = Path(surroundings.__file__).parent
    done = subprocess.run([sys.executable, "-c", both], cwd=folder, capture_output=True, text=True, check=True)
    assert len({*done.stdout.split()}) == 3
