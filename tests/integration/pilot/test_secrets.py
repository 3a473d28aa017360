"""Secrets of the environment and of the configuration: jobs have them, and nobody and nothing else does."""

from __future__ import annotations

import json
import secrets
import stat
from hashlib import sha256

import pytest

from pilots import events, finish, holding, start, survivors, wait_for, watched

pytestmark = pytest.mark.requires("root")  # for another user
TARGETS = ("shell.txt", "warm.txt", "ranks.txt", "script.txt", "beside.txt", "grouped.txt")
OF_CONFIGURATION = {"script.txt", "beside.txt", "grouped.txt"}


@pytest.fixture(scope="module")
def failed(tmp_path_factory, stranger):
    """A run with jobs of every kind, one of which fails, and what another user has seen of its command lines."""
    base = tmp_path_factory.mktemp("secrets")
    token, key, login, database = planted = [secrets.token_hex(16) for _ in range(4)]
    folder, config = base / "run", base / "config.yaml"
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    database = planted[-1] = f'it\'s-"{database}"\\'  # that shells and JSON write otherwise
    config.write_text(json.dumps({"database": {"user": "me", "password": database}, "key": "never.txt"}))
    options = ["--keep-going", "--configfile", str(config), "--config", f"service={{api_key: {key}, host: there}}"]
    options += [f"login_password={login}", "--printshellcmds"]
    environment = {"SERVICE_TOKEN": token, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    options += ["--quiet", "reason", "--"]  # as much as Snakemake tells
    process = start(folder, "secrets.smk", *options, *TARGETS, "never.txt", **environment)
    try:
        wait_for(lambda: list(folder.glob(".deeprc/runs/*")), 120)
        with watched(stranger, token, key, login) as seen:
            code, output = finish(process, 240)
    finally:
        process.kill()
    return folder, code, output, planted, seen


def test_jobs_have_them(failed):
    folder, code, output, (token, key, login, _), _ = failed
    assert code == 1
    assert "(exit code 3)" in output
    for name in TARGETS:
        expected = [key, login] if name in OF_CONFIGURATION else [token]
        assert (folder / name).read_text().split() == [sha256(each.encode()).hexdigest() for each in expected], output
    assert survivors(folder) == {}


def test_no_file_that_is_left_has_one(failed):
    folder, _, output, (*planted, in_command), _ = failed
    assert list(folder.glob(".deeprc/runs/*/pilot-1/sandbox/*")), output  # they were kept
    assert holding(folder, *planted) == []
    assert holding(folder / ".deeprc", in_command) == []  # Snakemake itself notes the command of a rule


def test_no_other_user_sees_one_in_a_command_line(failed):
    assert failed[-1] == []


def test_what_is_told_masks_them(failed):
    folder, _, output, planted, _ = failed
    assert not [secret for secret in planted if secret[6:30] in output], output  # in whatever form
    assert "rule fails: its command holds a secret (database.password), which" in output
    assert "given on the command line (service.api_key, login_password), where" in output
    assert "FAILED: fail with *** (exit code 3)" in output
    first, *_ = told = events(folder)
    start = first["command"].index("--config")
    assert first["command"][start + 1 : start + 3] == [
        'service={"api_key": "***", "host": "there"}',
        "login_password=***",
    ]
    (job,) = (event for event in told if event.get("rule") == "fails" and event["state"] == "failed")
    assert (job["command"], job["output"]) == ("true '***'; sleep 1; exit 3", ["never.txt"])
    (path,) = folder.glob(".deeprc/runs/*/events.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().count(planted[-1][6:30]) == 0
