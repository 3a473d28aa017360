import re
from pathlib import Path

from deeprc.core.errors import InputError, command, nearest, unknown


def test_error_says_what_where_and_how_to_mend_it():
    error = InputError("cannot parse a date", where="a.csv:7", found="'32.01'", expected="ISO", fix="mend it")
    assert str(error) == ("a.csv:7: cannot parse a date\n  found: '32.01'\n  expected: ISO\n  fix: mend it")


def test_parts_that_are_not_given_are_not_shown():
    assert str(InputError("no rows")) == "no rows"


def test_nearest_ignores_case_and_gives_up_on_strangers():
    assert nearest("nhitz", ["NHITS", "LSTM"]) == "NHITS"
    assert nearest("qqqq", ["NHITS", "LSTM"]) is None


def test_unknown_names_the_nearest():
    assert str(unknown("model", "PatchTTS", ["PatchTST", "GRU"], where="my.yaml")) == (
        "my.yaml: unknown model 'PatchTTS'\n  found: PatchTTS\n  expected: one of GRU, PatchTST\n"
        "  fix: did you mean 'PatchTST'?"
    )


def test_a_command_to_be_copied_is_words_of_a_shell():
    """A folder with a space in its name, taken apart, would be another one: `rm -r /data/my runs`."""
    assert command("rm", "-r", Path("/data/my runs")) == "`rm -r '/data/my runs'`"
    assert command("chmod", "go=", "$x;y") == "`chmod go= '$x;y'`"
    assert command("snakemake", "…", "--forcerun", "prepared") == "`snakemake … --forcerun prepared`"


def test_no_command_is_printed_with_a_path_as_it_is():
    """Those that people copy: what stands between backticks and names a path goes through `command`."""
    path = r"`\w[^`{]* \{[\w.]*(?:path|folder|place|prefix|parent|images|run|guard|conf|file)\}[^`]*`"
    found = [
        f"{file.name}: {line.strip()}"
        for file in (Path(__file__).resolve().parents[3] / "app").rglob("*.py")
        for line in file.read_text().splitlines()
        if re.search(path, line) and not re.match(r'\s*(#|""")', line)
    ]
    assert found == []
