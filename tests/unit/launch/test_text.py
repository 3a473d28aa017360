"""Plans as shell: variables of the job are expanded, and nothing else is."""

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.launch import Layout, compose
from deeprc.launch.text import as_text, exports, launch_line, shell_word
from samples.sites import cluster


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("plain", "plain"),
        ("two words", "'two words'"),
        ("$HOME/a b", '"$HOME/a b"'),
        ("${HOME}x", '"${HOME}x"'),
        ("$HOME/$(id)", '"$HOME/\\$(id)"'),
        ("$(id)", "'$(id)'"),
        ('$A"; id; "', '"$A\\"; id; \\""'),
        ("$HOME/`id`", '"$HOME/\\`id\\`"'),
    ],
)
def test_word(text, word):
    assert shell_word(text) == word


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=30))
def test_no_text_escapes_from_its_word(text):
    """Bash prints the text again, with the one variable that there is expanded, and all others empty."""
    line = f": ''; printf '%s' {shell_word('$DEEPRC_X/' + text)}"  # `:` empties `$_`
    done = subprocess.run(
        ["bash", "-c", line], env={"DEEPRC_X": "value", "LC_ALL": "C.UTF-8"}, capture_output=True, timeout=20
    )
    kept = re.sub(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})", "", text, flags=re.ASCII)
    assert done.stdout.decode() == f"value/{kept}"


def test_the_commands_own_words_are_never_expanded():
    site = cluster()
    made = compose(site, site.partition(), Layout(2), ["echo", "$HOME", "it's"])
    assert launch_line(made).endswith("""echo '$HOME' 'it'"'"'s'""")


def test_modules_come_before_the_variables_that_they_set():
    site = cluster(modules=["use /soft/modulefiles", "rocm/6.4"], settings=[{"environment": {"A": "$ROCM_PATH/x"}}])
    made = compose(site, site.partition(), Layout(2), ["run"])
    assert exports(made) == [
        "module use /soft/modulefiles",
        "module load rocm/6.4",
        "export OMP_NUM_THREADS=1",
        'export A="$ROCM_PATH/x"',
    ]


@pytest.mark.parametrize("module", ["a; rm -rf /", "$(id)", "use relative", "a b"])
def test_a_module_cannot_hold_a_command(module):
    with pytest.raises(ValueError, match="neither the name of a module nor"):
        cluster(modules=[module])


@pytest.mark.parametrize(("name", "told"), [("mpiexec-pals", True), ("mpirun-openmpi", True), ("srun", False)])
def test_ranks_that_do_not_fill_their_nodes_are_counted_and_idle_nodes_told(name, told):
    site = cluster(launcher={"name": name})
    made = compose(site, site.partition(), Layout(5, 1, 0, 4), ["run"])
    assert "layout     5 ranks on 4 nodes, up to 2 on each, 1 cores each\n" in as_text(made)
    words = f"{name} fills one node after the other: 1 of 4 nodes get no rank"
    assert (words in made.warnings) == told
    assert "layout     4 x 2 ranks" in as_text(compose(site, site.partition(), Layout(8, 1, 0, 4), ["run"]))


def test_a_refusal_says_what_to_do():
    from deeprc.images.catalog import load_catalog

    site = cluster()
    text = as_text(
        compose(site, site.partition(), Layout(2), ["run"], image=load_catalog().image("cuda12-openmpi-ucx"))
    )
    assert "verdict    refuse: image cuda12-openmpi-ucx holds openmpi" in text
    assert "fix        take an image of the mpich family" in text
    assert "launch" not in text.split("fix")[1]
