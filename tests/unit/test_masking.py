"""What is written down of a run shows no secrets."""

from __future__ import annotations

import pytest

from deeprc.masking import Masker, is_secret, masked, masked_words, secrets


@pytest.mark.parametrize(
    "name", ["API_TOKEN", "aws_secret_access_key", "PGPASSWORD", "ftp-passwd", "GOOGLE_CREDENTIALS", "KEYBOARD"]
)
def test_names_of_secrets(name):
    assert is_secret(name)


def test_other_names_are_those_of_secrets_by_an_address_with_a_password_only():
    assert not is_secret("PATH", "/usr/bin")
    assert not is_secret("https_proxy", "http://proxy:3128")
    assert not is_secret("REMOTE", "ssh://git@example.org/a:b@c")
    assert is_secret("https_proxy", "http://me:pass@proxy:3128")


def test_a_configuration_is_masked_at_any_depth():
    told = {"host": "here", "db": {"user": "me", "password": "x", "port": 1}, "all": [{"api_key": ["a", {"b": "c"}]}]}
    assert masked(told | {"url": "s3://me:x@host/b", "token": None}) == {
        "host": "here",
        "db": {"user": "me", "password": "***", "port": 1},
        "all": [{"api_key": "***"}],
        "url": "s3://me:***@host/b",
        "token": None,
    }
    assert list(secrets(told)) == ["x", "a", "c"]
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
    environment = {"A_TOKEN": "abcdefgh", "LONGER_KEY": "abcdefgh.ijk", "SHORT_KEY": "7", "KEY_FILE": str(tmp_path)}
    mask = Masker.of(environment | {"http_proxy": "http://me:passpass@proxy"}, {"db": {"password": 123456789}})
    assert mask(f"a 7 abcdefgh.ijk abcdefgh 'passpass' 123456789 {tmp_path}") == f"a 7 *** *** '***' *** {tmp_path}"
    argv = ["--default-storage-prefix", "s3://me:storage-pass@h", "a_key=1.2.3.4.5", "--s3-key", "abcdefghi"]
    assert Masker.of(argv=argv)("s3://me:storage-pass@h abcdefghi 1.2.3.4.5") == "s3://me:***@h *** ***"
    assert Masker.of({"PATH": "/usr/bin"})("as it is") == "as it is"
