"""A run in a folder as /tmp, where another user was before."""

from __future__ import annotations

import pytest

from pilots import QUIET, run, tree

# He waits for the run's folder in his own, and puts one in its place; a pilot's `bash -l` would read his .profile.
ATTACK = """
os.umask(0)
os.chdir(sys.argv[1])
os.makedirs(".deeprc/runs")
print("planted", flush=True)
while not (found := os.listdir(".deeprc/runs")):
    os.sched_yield()
os.rename(f".deeprc/runs/{found[0]}", ".deeprc/runs/before")
for name in ("home", "tmp", "log", "sandbox", "tasks"):
    os.makedirs(f".deeprc/runs/{found[0]}/pilot-1/{name}")
with open(f".deeprc/runs/{found[0]}/pilot-1/home/.profile", "w") as profile:
    print(f"id > {os.getcwd()}/his", file=profile)
"""


@pytest.mark.requires("root")
def test_a_planted_private_folder_is_refused_by_name(sticky, stranger):
    attack = stranger.start(ATTACK, sticky)
    try:
        assert attack.stdout.readline() == "planted\n"
        own = ["--radical-pilot-folder", str(sticky / ".deeprc")]
        code, output = run(sticky.parent / "own", "mpi.smk", *own, *QUIET, "world.txt", timeout=120)
    finally:
        attack.kill()
        attack.communicate()
    assert code == 1
    assert f"{sticky}/.deeprc: this private folder could be somebody else's\n  found: owned by uid 64023\n" in output
    assert "name another folder, which is yours, by --radical-pilot-folder" in output
    assert "Traceback" not in output
    assert {**tree(sticky), **tree(sticky.parent / "own")} == {}, "nothing of his has run, nor any job"
