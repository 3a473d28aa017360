import subprocess
from pathlib import Path

from deeprc.core.umask import own_umask
from deeprc.pilot.last_words import last_error, last_words
from snakemake_executor_plugin_radical_pilot.runs import JobFiles, RunFolder
from snakemake_executor_plugin_radical_pilot.script import job_environment, job_text


def test_job_environment():
    assert job_environment(threads=2, tmpdir="/t", ranks=4, run=Path("/r"), spent=Path("/s"), memory_mb=500) == {
        "DEEPRC_MEM_MB": "500",
        "OMP_NUM_THREADS": "2",
        "GOTO_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
        "VECLIB_MAXIMUM_THREADS": "2",
        "NUMEXPR_NUM_THREADS": "2",
        "TMPDIR": "/t",
        "TMP": "/t",
        "TEMPDIR": "/t",
        "TEMP": "/t",
        "DEEPRC_RANKS": "4",
        "DEEPRC_RUN": "/r",
        "DEEPRC_SPENT": "/s",
        "DEEPRC_UMASK": own_umask(),
    }


def script(ranks: int = 1, **changes) -> str:
    options = {
        "label": "make\nit",
        "folder": Path("/run/a job"),
        "workdir": Path("/work dir"),
        "command": '"${DEEPRC_BACK[@]}" /bin/bash "$DEEPRC_HERE/command.sh"',
        "ranks": ranks,
        "repeats": 1,
        "variables": {"A": "b c", "no-name": "x"},
    }
    return job_text(**options | changes)


def test_script_of_one_rank():
    assert (
        script()
        == """\
#!/usr/bin/env bash
# make it
DEEPRC_HERE='/run/a job'
export RP_RANK=0
exec < /dev/null > "$DEEPRC_HERE/out.$RP_RANK" 2>&1
export A='b c'
trap : USR1 USR2
[[ -z ${DEEPRC_WARM_PATH-} ]] || PATH=$DEEPRC_WARM_PATH:$PATH
builtin cd '/work dir' || exit 1
DEEPRC_BACK=(/usr/bin/env -u OLDPWD -u PWD -u SHLVL -u _)
for DEEPRC_NAME in ${!DEEPRC_KEPT_@}; do
  DEEPRC_BACK+=("${DEEPRC_NAME#DEEPRC_KEPT_}=${!DEEPRC_NAME}")
  unset -v "$DEEPRC_NAME"
done
for ((DEEPRC_I = 0; DEEPRC_I < 1; DEEPRC_I++)); do
  DEEPRC_START=${EPOCHREALTIME/,/.}
  [[ $RP_RANK == 0 ]] && builtin echo "$DEEPRC_START" > "$DEEPRC_HERE/started"
  "${DEEPRC_BACK[@]}" /bin/bash "$DEEPRC_HERE/command.sh"
  DEEPRC_CODE=$?
  [[ $RP_RANK == 0 ]] &&
    builtin echo "$DEEPRC_START ${EPOCHREALTIME/,/.}" >> "$DEEPRC_HERE/times"
  DEEPRC_SAID=$DEEPRC_CODE; ((DEEPRC_CODE <= 128)) || DEEPRC_SAID+=" $HOSTNAME"
  [[ $DEEPRC_CODE == 0 ]] || { builtin echo "$DEEPRC_SAID" > "$DEEPRC_HERE/code.$RP_RANK"; break; }
done
exit $DEEPRC_CODE
"""
    )


def test_script_of_several_ranks_ends_its_process_group_on_failure():
    assert script(2).splitlines()[-2:] == [
        "[[ $DEEPRC_CODE == 0 ]] || builtin kill -TERM 0",
        "exit $DEEPRC_CODE",
    ]


def run_script(tmp_path: Path, command: str, **changes) -> tuple[int, JobFiles]:
    (tmp_path / "command.sh").write_text(command)
    files = JobFiles(tmp_path)
    files.script.write_text(script(folder=tmp_path, workdir=tmp_path, **changes))
    return subprocess.run(["bash", files.script], check=False).returncode, files


def test_what_a_good_job_leaves(tmp_path):
    code, files = run_script(tmp_path, "echo $A; sleep 0.2; echo oops >&2", repeats=2)
    assert code == 0
    assert files.output(1) == "b c\noops\nb c\noops\n"
    assert len(files.times()) == 2
    assert all(0.2 <= stop - start < 2 for start, stop in files.times())
    assert files.failed_rank() is None


def test_what_a_failed_job_leaves(tmp_path):
    code, files = run_script(tmp_path, "exit 9", repeats=2)
    assert files.failed_rank() == 0
    assert code == files.exit_code(0) == 9
    assert len(files.times()) == 1


def test_nothing_is_known_of_a_job_that_did_not_start(tmp_path):
    files = JobFiles(tmp_path)
    assert (files.started(), files.times(), files.failed_rank(), files.output(1)) == (None, [], None, "")


def test_odd_remains_of_a_job_end_nothing(tmp_path):
    """A job may write anything into its folder, or remove it."""
    for name, data in (("times", b"1.5 2.5\n\xff\0 x\n"), ("started", b"\xff"), ("code.0", b"\0"), ("code.x", b"")):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "sample.json").write_bytes(b"{\xff")
    (tmp_path / "out.0").write_bytes(b"\xff\0a\n")
    files = JobFiles(tmp_path)
    assert (files.started(), files.times(), files.samples()) == (None, [], [])
    assert (files.failed_rank(), files.exit_code(0)) == (0, 1)
    assert files.output(1) == "\ufffd\0a\n"
    gone = JobFiles(tmp_path / "gone")
    assert (gone.started(), gone.times(), gone.samples(), gone.failed_rank()) == (None, [], [], None)


def test_ranks_are_told_apart_in_the_joined_output(tmp_path):
    (tmp_path / "out.0").write_text("a\nb\n")
    (tmp_path / "out.1").write_text("c")
    assert JobFiles(tmp_path).output(2) == "0: a\n0: b\n1: c\n"


def test_only_the_newest_runs_are_kept(tmp_path):
    for i in range(30):
        (tmp_path / ".deeprc" / "runs" / f"20000101T0000{i:02d}-1").mkdir(parents=True)
    run = RunFolder(tmp_path / ".deeprc")
    run.create()
    kept = sorted(path.name for path in run.path.parent.iterdir())
    assert len(kept) == 20
    assert kept[-1] == run.id
    assert kept[0] == "20000101T000011-1"


def test_what_a_run_holds_is_for_its_owner_only(tmp_path):
    run = RunFolder(tmp_path / ".deeprc")
    run.create()
    assert (tmp_path / ".deeprc").stat().st_mode & 0o777 == 0o700
    run.job("a.1")
    run.tidy()
    assert list(run.path.iterdir()) == []


def test_last_words_are_the_agents_else_those_of_its_start(tmp_path):
    assert last_words(tmp_path) == ([], tmp_path)
    (tmp_path / "log").mkdir()
    for name, text in (("log/broker.err", "lost\n"), ("queue.err", "a note\n"), ("agent_0.err", "")):
        (tmp_path / name).write_text(text)
    assert last_words(tmp_path) == (["lost"], tmp_path / "log" / "broker.err")
    (tmp_path / "agent_0.err").write_text("first\nwhy\n")
    assert last_words(tmp_path) == (["first", "why"], tmp_path / "agent_0.err")


def test_the_last_error_of_radical_pilots_log():
    record = "1795650113.223 : pmgr_launching.0000  : 9699  : 139990600234688 : {}\n"
    text = (
        record.format("ERROR    : first") + record.format("ERROR    : launch failed") + "Traceback\n  a\n\nOSError: b\n"
    )
    assert last_error(text + record.format("DEBUG    : watch")) == ["launch failed", "Traceback", "  a", "OSError: b"]
    assert last_error(text, lines=2, width=5) == ["  a", "OSErr"]
    assert last_error(record.format("DEBUG    : watch")) == []
