"""What is written down of a run shows no secrets."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from urllib.parse import quote, urlencode

import pytest

from deeprc.core.masking import Masker, given, is_secret, masked, masked_words, may_be_secret, secrets


@pytest.mark.parametrize(
    "name",
    [
        *("API_TOKEN", "aws_secret_access_key", "PGPASSWORD", "ftp-passwd", "GOOGLE_CREDENTIALS", "apiKey", "apikey"),
        *("--storage-s3-secret-key", "DB_PASSWORD2", "clientSecret", "primary_key", "tokens", "OAuthToken"),
    ],
)
def test_names_of_secrets(name):
    assert is_secret(name, "x")


@pytest.mark.parametrize("name", ["keyword", "tokenizer", "monkey", "KEYBOARD", "secretary", "passwordless", "PATH"])
def test_words_count_whole_but_where_care_costs_nothing(name):
    assert not is_secret(name, "precipitation")
    assert may_be_secret(name) == (name != "PATH")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_tokens", 10_000_000, False),
        ("max_tokens", "1e6", False),
        ("tokens", "a", True),
        ("key_length", 256, False),
        ("api_key", 256, True),
        ("TOKEN_2", "1234", True),
        ("password_old", 1234, True),
        ("use_token", True, False),
        ("token", None, False),
    ],
)
def test_numbers_that_are_no_secrets(name, value, expected):
    assert is_secret(name, value) == expected
    assert masked({name: value}) == {name: "***" if expected else value}


def test_an_address_with_a_password_makes_any_variable_one():
    assert not may_be_secret("https_proxy", "http://proxy:3128")
    assert not may_be_secret("REMOTE", "ssh://git@example.org/a:b@c")
    assert may_be_secret("https_proxy", "http://me:pass@proxy:3128")


def test_a_configuration_is_masked_at_any_depth():
    told = {"host": "here", "db": {"user": "me", "password": "x", "port": 1}, "all": [{"api_key": ["a", {"b": "c"}]}]}
    assert masked(told | {"url": "s3://me:x@host/b", "token": None}) == {
        "host": "here",
        "db": {"user": "me", "password": "***", "port": 1},
        "all": [{"api_key": "***"}],
        "url": "s3://me:***@host/b",
        "token": None,
    }
    assert [(each.where, each.value) for each in secrets(told)] == [
        ("db.password", "x"),
        ("all.api_key", "a"),
        ("all.api_key.b", "c"),
    ]
    assert told["db"]["password"] == "x"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("snakemake --jobs 4 --config horizon=12 -- all", None),
        ("snakemake --config horizon=12 API_KEY=abc --jobs 1", "snakemake --config horizon=12 API_KEY=*** --jobs 1"),
        ("snakemake --config db={host:~h,password:~a~b}", 'snakemake --config db={"host":~"h",~"password":~"***"}'),
        ("snakemake --config db={host:~h} a={", None),
        (
            "snakemake --storage-s3-secret-key abc tag:def --jobs 1",
            "snakemake --storage-s3-secret-key *** *** --jobs 1",
        ),
        ("snakemake --storage-s3-secret-key=abc x", "snakemake --storage-s3-secret-key=*** x"),
        ("snakemake --default-storage-prefix s3://me:abc@h/b", "snakemake --default-storage-prefix s3://me:***@h/b"),
        ("snakemake --envvars API_TOKEN HOME", None),
        ("snakemake --envvars API_TOKEN=abc", "snakemake --envvars API_TOKEN=***"),
        ("snakemake --apptainer-args --env~A_TOKEN=abc,B=1", "snakemake --apptainer-args --env~A_TOKEN=***"),
    ],
)
def test_a_command_line_is_masked(line, shown):
    words = [word.replace("~", " ") for word in line.split()]
    assert masked_words(words) == ([word.replace("~", " ") for word in shown.split()] if shown else words)


def test_known_secrets_are_masked_wherever_they_stand(tmp_path):
    environment = {"A_TOKEN": "abcdefgh", "LONGER_TOKEN": "abcdefgh.ijk", "SHORT_KEY": "7", "A_TOKEN_": str(tmp_path)}
    mask = Masker.of(environment | {"http_proxy": "http://me:pass%40pass@proxy"}, {"db": {"password": 123456789}})
    assert mask(f"a 7 abcdefgh.ijk abcdefgh 'pass@pass' 123456789 {tmp_path}") == f"a 7 *** *** '***' *** {tmp_path}"
    argv = ["--default-storage-prefix", "s3://me:storage-pass@h", "a_secret=1.2.3.4.5", "--s3-secret", "abcdefghi"]
    assert Masker.of(argv=argv)("s3://me:storage-pass@h abcdefghi 1.2.3.4.5") == "s3://me:***@h *** ***"
    assert Masker.of({"PATH": "/usr/bin"})("as it is") == "as it is"


ODD = 'it\'s-a-"quoted"\\secret-9 $ü'


@pytest.mark.parametrize(
    "text",
    [
        ODD,
        shlex.quote(ODD),
        json.dumps(ODD),
        json.dumps(ODD, ensure_ascii=False),
        json.dumps(json.dumps([ODD])),
        shlex.quote(json.dumps({"token": ODD})),
        shlex.quote(shlex.quote(ODD)),
        repr(ODD),
        quote(ODD),
        quote(ODD, safe=""),
        urlencode({"q": ODD}),
    ],
)
def test_a_secret_is_masked_in_every_usual_form(text):
    assert not re.search("quoted|secret-9", Masker.of({"token": ODD})(text))


@pytest.mark.parametrize("form", ["set -x; true {}", "printf %q {}"])
def test_a_secret_is_masked_as_a_shell_shows_it(form):
    done = subprocess.run(["bash", "-c", form.format('"$0"'), ODD], capture_output=True, text=True, check=True)
    shown = Masker.of({"token": ODD})(done.stdout + done.stderr)
    assert "***" in shown
    assert not re.search("quoted|secret-9", shown)


@pytest.mark.parametrize("name", ["PRIVATE_KEY", "host_key"])
def test_each_line_of_a_secret_is_masked(name):
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n  BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"
    mask = Masker.of({name: f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"})
    shown = mask("\n".join(f"  | {line}" for line in body.splitlines()))
    assert shown.split() == ["|", "***", "|", "***"]


PLAIN = {
    "primary_key": "station_id",
    "key": "out/train.txt",
    "sort_keys": ["2m_temperature", "rhesus-macaque", "data/{site}/gauge_01.csv", "Größenordnung"],
    "special_tokens": ["endoftext"],
    "token_file": "run/secrets/service.txt",
    "HYDRO_KEY": "hydrology",
    "date_key": 20260921,
}


def test_words_and_paths_under_the_name_of_a_key_are_masked_at_their_own_place_only():
    text = f"deeprc.applications.hydrology.train {' '.join(map(str, [*PLAIN.values()]))}"
    assert Masker.of(PLAIN)(text) == text
    assert set(masked(PLAIN).values()) == {"***"}
    assert all(secret.is_plain for secret in given(["--config", "primary_key=station_id"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hydro_key", "a81f0c2d9e77b3415566aa0c"),
        ("hydro_key", "AKIAIOSFODNN7EXAMPLE"),
        ("hydro_key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("hydro_key", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("hydro_key", "qpwoeirutyalskdjfhgzmxncbv"),
        ("hydro_key", "p@ssw0rd!x"),
        ("tokens", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ("password", "correcthorse"),
        ("db_secret", "hydrology"),
        ("token", "precipitation"),
        ("api_key", "hydrology"),
    ],
)
def test_what_is_no_word_or_has_the_name_of_a_secret_only_is_masked_everywhere(name, value):
    assert Masker.of({name: value})(f"curl {value}x") == "curl ***x"


def test_a_stronger_name_counts_at_whatever_depth():
    config = {"keys": {"db_password": "correcthorse"}, "token": {"first": "batterystaple"}, "max_tokens": {"a": 10**8}}
    assert Masker.of(config)("correcthorse batterystaple 100000000") == "*** *** 100000000"


def test_where_secrets_were_given_is_told():
    argv = [
        "snakemake",
        "--config",
        "db={password: 'a b'}",
        "my_token=abcdefgh",
        "x=http://me:there@h",
        "--s3-key",
        "k",
    ]
    argv += ["--prefix", "s3://me:abc@h", "--keep", "--args=--env A_TOKEN=abc"]
    told = ["db.password", "my_token", "x", "--s3-key", "--prefix"]
    assert [secret.where for secret in given(argv)] == [*told, "A_TOKEN"]
    mask = Masker.of({"A_TOKEN": "abcdefgh"}, {"db": {"password": "abcdefgh", "other": "x"}})
    assert mask.found("curl abcdefgh") == ["A_TOKEN", "db.password"]
    assert mask.found("curl") == []


def test_a_value_of_many_brackets_is_no_traceback():
    assert masked_words(["--config", "x=" + "[" * 5000]) == ["--config", "x=" + "[" * 5000]
