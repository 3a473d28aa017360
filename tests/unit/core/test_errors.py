from deeprc.core.errors import InputError, nearest, unknown


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
