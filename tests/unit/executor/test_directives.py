"""Which jobs are run without a Snakemake of their own: decided for each word that a rule can have in this Snakemake."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import snakemake
from snakemake.io.flags import access_patterns
from snakemake.parser import rule_property_subautomata, rule_run_subautomata
from snakemake.ruleinfo import RuleInfo

from made_jobs import jobs
from snakemake_executor_plugin_radical_pilot import asking, direct

SHELL = 'shell: "true"'
# word -> (how a rule has it, why it then is run through Snakemake itself, or None)
WORDS = {
    "name": ('name: "b"', None),
    "input": ('input: ancient("Snakefile")', None),
    "output": ('output: temp("c")', None),
    "params": ("params: a=1", None),
    "threads": ("threads: 2", None),
    "resources": ("resources: tasks=2", None),
    "retries": ("retries: 2", None),
    "priority": ("priority: 5", None),
    "log": ('log: "log"', None),
    "message": ('message: "hello"', None),
    "benchmark": ('benchmark: "b.tsv"', None),
    "wildcard_constraints": ('wildcard_constraints: a="b"', None),
    "shadow": ('shadow: "minimal"', None),
    "group": ("group: None", None),  # else the job is one of a group, see below
    "default_target": ("default_target: True", None),
    "pathvars": ('pathvars: a="b"', None),
    "conda": ('conda: "e.yaml"', "it has `conda_env`"),
    "singularity": ('singularity: "i.sif"', "it has `container_img`"),
    "container": ('container: "i.sif"', "it has `container_img`"),
    "containerized": ('containerized: "i.sif"', "it has `container_img`"),
    "envmodules": ('envmodules: "tool/1"', "it has `env_modules`"),
    "cache": ("cache: True", "it has `cache`"),
    "handover": ("handover: True", None),  # it is a local job then, and never comes here
    "localrule": ("localrule: True", None),
    "shell": (SHELL, None),
    "run": ("run: pass", "it is no `shell:` rule"),
    "script": ('script: "s.py"', "it is no `shell:` rule"),
    "notebook": ('notebook: "n.ipynb"', "it is no `shell:` rule"),
    "wrapper": ('wrapper: "file:w"', "it is no `shell:` rule"),
    "template_engine": ('template_engine: "jinja2"', "it is no `shell:` rule"),
    "cwl": ('cwl: "c.cwl"', "it is no `shell:` rule"),
}
MARKS = {"pipe", "service", "nodelocal", "from_queue", "storage_object"}  # those that are not done


def rule(*lines: str) -> str:
    own = [line for line in lines if not line.startswith("output")] or [SHELL]
    output = next((line for line in lines if line.startswith("output")), 'output: "a"')
    runs = any(line.partition(":")[0] in rule_run_subautomata for line in own)
    body = [output, *own] if runs else [output, *own, SHELL]
    return "rule a:\n" + "".join(f"    {line}\n" for line in body)


def test_every_word_of_a_rule_is_decided():
    """Fails with a Snakemake that knows more: decide on the new word, here and in `direct`."""
    assert set(WORDS) == {*rule_property_subautomata, *rule_run_subautomata}


@pytest.mark.parametrize("word", WORDS)
def test_what_is_not_done_directly_goes_through_snakemake(tmp_path, monkeypatch, word):
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path))
    line, expected = WORDS[word]
    made, workflow = jobs(tmp_path, rule(line), cache=[])
    assert [direct.why_nested(job, workflow) for job in made] == [expected]


@pytest.mark.parametrize("word", ["conda", "container", "envmodules", "cache"])
def test_what_snakemake_leaves_out_without_its_option_does_no_harm(tmp_path, word):
    """As the local executor does: the command is run as if the word were not there."""
    made, workflow = jobs(tmp_path, rule(WORDS[word][0]), methods=())
    assert [direct.why_nested(job, workflow) for job in made] == [None]


def test_a_word_that_nobody_has_heard_of_goes_through_snakemake(tmp_path):
    made, workflow = jobs(tmp_path, rule(SHELL))
    made[0].rule.ruleinfo.teleport = "there"
    assert direct.why_nested(made[0], workflow) == "it has `teleport`"
    assert set(direct.SOFTWARE) | direct.DONE <= set(vars(RuleInfo()))


def test_a_container_of_the_whole_workflow_goes_through_snakemake(tmp_path):
    made, workflow = jobs(tmp_path, 'container: "i.sif"\n' + rule(SHELL))
    assert direct.why_nested(made[0], workflow) == "it has a container"


def test_every_mark_of_a_file_is_decided():
    """The marks are the constants that Snakemake's sources call `flag(…)` with."""
    folder, found = Path(snakemake.__file__).parent, set()
    for path in (*(folder / "io").rglob("*.py"), folder / "ioflags.py", folder / "storage.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "flag" and len(node.args) > 1:
                mark = node.args[1]
                found |= {mark.value} if isinstance(mark, ast.Constant) else {f"by {mark.id}"}
    assert found - {"by STORE_KEY", "by flag_type"} == (direct.FLAGS | MARKS) - {access_patterns.STORE_KEY}


def test_a_pipe_goes_through_snakemake(tmp_path):
    made, workflow = jobs(tmp_path, rule('output: pipe("a")'))
    assert direct.why_nested(made[0], workflow) == "a file is pipe()"


def test_a_command_that_names_its_repeat_goes_through_snakemake(tmp_path):
    made, workflow = jobs(tmp_path, rule('benchmark: repeat("b.tsv", 2)', 'shell: "echo {bench_iteration}"'))
    assert direct.why_nested(made[0], workflow) == "its command names {bench_iteration}"


def test_a_command_is_joined_as_snakemake_does(tmp_path, monkeypatch):
    """The prefix may be what an assignment or a wrapper of the command is to Snakemake: on the same line."""
    text = 'shell.prefix("A=1 timeout 20 ")\nshell.suffix(" | cat")\n' + rule('shell: "b {output}"')
    for name in ("_process_prefix", "_process_suffix"):  # Snakemake's, for the whole process
        monkeypatch.setattr(direct.shell, name, getattr(direct.shell, name))
    made, _ = jobs(tmp_path, text)
    assert direct.command(made[0], direct.formatted(made[0])) == "A=1 timeout 20  b a  | cat"
    (program, option, words) = direct.words(made[0], "x" * 100_000, tmp_path / "a file")
    assert (Path(program).name, option) == ("bash", "-c")
    assert words == f"{program} '{tmp_path}/a file'"


def test_a_rule_of_a_module_has_its_own_names(tmp_path):
    (tmp_path / "module.smk").write_text('X = "its own"\n' + rule('shell: "echo {X} {output}"'))
    text = 'X = "another"\nmodule m:\n    snakefile: "module.smk"\nuse rule * from m\n'
    made, _ = jobs(tmp_path, text)
    assert direct.command(made[0], direct.formatted(made[0])) == "set -euo pipefail;  echo its own a"


def test_numbers_that_snakemake_rounds_are_known(tmp_path):
    made, _ = jobs(tmp_path, rule("resources: gpu=0.5, runtime=2.0, tasks=2, cpus_per_task=lambda wc: 1.5"))
    assert made[0].resources.gpu == 0
    assert direct.fractions(made[0]) == {"gpu": 0.5, "cpus_per_task": 1.5}


def test_a_runtime_below_a_minute_from_a_function_is_one(tmp_path):
    """Snakemake makes it 0, which says that there is no limit."""
    made, _ = jobs(tmp_path, rule("resources: runtime=lambda wildcards, input, attempt: 0.1 * attempt + len(input)"))
    assert made[0].resources.runtime == 0
    assert asking.asks(made[0]).minutes == 0.1
