"""Where registry logins are found, and which hosts are spoken to without a proxy."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError
from deeprc.images import web
from deeprc.images.login import login

HOST = "registry.example.org:5000"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    names = [f"{prefix}_DOCKER_{word}" for prefix in ("APPTAINER", "SINGULARITY") for word in ("USERNAME", "PASSWORD")]
    proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"]
    for name in [*names, *proxies, "DOCKER_CONFIG", "APPTAINER_CONFIGDIR", "DEEPRC_REGISTRY_TIMEOUT"]:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def auths(name: str, host: str = HOST) -> dict:
    return {"auths": {host: {"auth": encoded(name)}}}


def test_each_place_is_looked_in_the_nearest_first(home, monkeypatch):
    assert login(HOST) is None
    write(home / ".docker/config.json", auths("docker:1"))
    assert login(HOST) == encoded("docker:1") and login("elsewhere.example.org") is None
    write(home / ".apptainer/docker-config.json", auths("apptainer:1"))
    assert login(HOST) == encoded("apptainer:1")
    write(home / "named/config.json", auths("named:1"))
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "named"))
    assert login(HOST) == encoded("named:1")
    write(home / "named/config.json", auths("named:1", "elsewhere.example.org"))
    assert login(HOST) == encoded("apptainer:1"), "both default files are looked in as well"
    monkeypatch.setenv("APPTAINER_DOCKER_USERNAME", "env")
    with pytest.raises(ConfigError, match="half a registry login") as caught:
        login(HOST)
    assert "no APPTAINER_DOCKER_PASSWORD" in str(caught.value)
    monkeypatch.setenv("APPTAINER_DOCKER_PASSWORD", "secret")
    assert login(HOST) == encoded("env:secret")


@pytest.mark.parametrize("key", [f"https://{HOST}", f"https://{HOST}/v2/", f"{HOST}/v1/"])
def test_the_ways_that_a_host_is_written(home, key):
    write(home / ".docker/config.json", auths("a:b", key))
    assert login(HOST) == encoded("a:b")
    write(home / ".docker/config.json", {"auths": {key: {"username": "a", "password": "b"}}})
    assert login(HOST) == encoded("a:b")


@pytest.mark.parametrize("content", [{"auths": {HOST: {}}, "credsStore": "own"}, {"credHelpers": {HOST: "own"}}])
def test_a_credential_helper_is_asked(home, monkeypatch, content):
    program = home / "bin" / "docker-credential-own"
    write(program, '#!/bin/sh\nread host; echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$host\\"}"\n')
    program.chmod(0o755)
    write(home / ".docker/config.json", content)
    assert login(HOST) is None
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert login(HOST) == encoded(f"get:{HOST}")


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": []}', json.dumps({"auths": {HOST: {"auth": "?"}}})])
def test_a_file_that_is_none_is_told(home, content):
    write(home / ".docker/config.json", content)
    with pytest.raises(ConfigError, match=r"\.docker/config.json: not a file of registry logins"):
        login(HOST)


def test_a_folder_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", "/nowhere")
    with pytest.raises(ConfigError, match="DOCKER_CONFIG: no such folder"):
        login(HOST)


@pytest.mark.parametrize(
    ("host", "no_proxy", "wanted"),
    [
        ("127.0.0.1:5000", "", True),
        ("localhost", "", True),
        ("[::1]:5000", "", True),
        ("registry.example.org", "", False),
        ("registry.example.org:5000", "example.org", True),
        ("registry.example.org:5000", ".example.org", True),
        ("10.1.2.3:5000", "10.0.0.0/8, other", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("registry.example.org", "*", True),
    ],
)
def test_who_is_not_proxied(monkeypatch, host, no_proxy, wanted):
    monkeypatch.setenv("no_proxy", no_proxy)
    assert web.direct(host) is wanted


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch):
    """Neither where the request begins nor where an answer leads to: nobody listens at the proxy's port, nor at 9."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(urllib.error.URLError, match="refused"):
        web.send(urllib.request.Request("http://127.0.0.1:9/"))
    seen = []
    monkeypatch.setattr(urllib.request.ProxyHandler, "proxy_open", lambda self, request, *_: seen.append(request.host))
    for host in ("127.0.0.1:9", "nowhere.invalid"):
        with pytest.raises(urllib.error.URLError):
            web.send(urllib.request.Request(f"http://{host}/"))
    assert seen == ["nowhere.invalid"]


@pytest.mark.parametrize("text", ["abc", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_told(monkeypatch, text):
    monkeypatch.setenv("DEEPRC_REGISTRY_TIMEOUT", text)
    with pytest.raises(ConfigError, match="DEEPRC_REGISTRY_TIMEOUT: not a time") as caught:
        web.timeout()
    assert f"found: {text}" in str(caught.value)
