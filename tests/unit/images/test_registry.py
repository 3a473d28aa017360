"""Addresses, and registries that want a name: a small one that asks for tokens, as public registries do."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.registry import SIF_LAYER, Address, ImageRegistry

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "plain"),
    [
        ("oras://registry.example.org/deeprc/cpu", "registry.example.org", "deeprc/cpu", None, False),
        ("oras://registry.example.org:5000/a/b/c:1.0-x86", "registry.example.org:5000", "a/b/c", "1.0-x86", False),
        ("oras://127.0.0.1:5000/x:t", "127.0.0.1:5000", "x", "t", True),
        ("oras://localhost/x", "localhost", "x", None, True),
        ("oras://localhost.example.org/x", "localhost.example.org", "x", None, False),
    ],
)
def test_addresses(text, host, repository, tag, plain):
    address = Address.parse(text)
    assert (address.host, address.repository, address.tag, address.plain) == (host, repository, tag, plain)
    assert str(address) == text


@pytest.mark.parametrize("text", ["docker://a/b", "oras://a", "oras:///b", "a/b", "oras://a/b@sha256:1", "oras://a/b:"])
def test_what_is_no_address(text):
    with pytest.raises(ImageError, match="not an address of an image"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("oras://127.0.0.1:5/DeepRC/CPU:V1", "oras://127.0.0.1:5/deeprc/cpu:V1"),
        ("oras://h/deeprc/Cpu", "oras://h/deeprc/cpu"),
        ("oras://h/a//b", None), ("oras://h/_a", None), ("oras://h/a..b", None), ("oras://h/a:.x", None),
        ("oras://h/aé", None),
    ],
)  # fmt: skip
def test_an_address_that_no_registry_takes_is_told_before_anything_is_sent(text, fix):
    """OCI's names are in lower case; tags need not be. A registry would say so after the upload, as 'not found'."""
    with pytest.raises(ImageError, match="not an address that registries take") as caught:
        Address.parse(text)
    assert caught.value.fix == fix and "None" not in str(caught.value)


class Guarded(BaseHTTPRequestHandler):
    """A registry whose tokens come from a service of its own, for those who know the password."""

    def do_GET(self):
        host = f"127.0.0.1:{self.server.server_port}"
        given = self.headers.get("Authorization", "")
        if self.path.startswith("/token"):
            login = base64.b64decode(given.removeprefix("Basic ")).decode() if given else ""
            right = "scope=repository%3Ap%3Apull" in self.path and "service=here" in self.path
            token = {"reader:secret": "good", "": "anonymous"}.get(login, "bad") if right else "wrong scope"
            return self.answer(200, {"token": token})
        if given != "Bearer good":
            code = 403 if given == "Bearer anonymous" else 401
            challenge = f'Bearer realm="http://{host}/token",service="here",scope="repository:p:pull"'
            return self.answer(code, {}, {"WWW-Authenticate": challenge})
        return self.answer(200, {"layers": [{"mediaType": self.server.kind, "digest": DIGEST, "size": 5}]})

    def answer(self, code, body, headers=None):
        text = json.dumps(body).encode()
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def guarded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    server.kind = SIF_LAYER
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def login(folder, host: str, name: str) -> None:
    (folder / ".apptainer").mkdir(exist_ok=True)
    entry = {"auth": base64.b64encode(name.encode()).decode()}
    (folder / ".apptainer" / "docker-config.json").write_text(json.dumps({"auths": {host: entry}}))


def test_a_token_is_fetched_with_the_users_name(guarded, tmp_path):
    host = f"127.0.0.1:{guarded.server_port}"
    registry = ImageRegistry(Address(host, "p"))
    with pytest.raises(RegistryError, match="does not let us read") as caught:
        registry.digest("t")
    assert f"apptainer registry login oras://{host}" in str(caught.value)
    login(tmp_path, host, "reader:wrong")
    with pytest.raises(RegistryError, match="does not let us read"):
        ImageRegistry(Address(host, "p")).digest("t")
    login(tmp_path, host, "reader:secret")
    assert ImageRegistry(Address(host, "p")).digest("t") == (DIGEST, 5)


def test_something_else_than_an_image_is_told(guarded, tmp_path):
    host = f"127.0.0.1:{guarded.server_port}"
    login(tmp_path, host, "reader:secret")
    guarded.kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    with pytest.raises(RegistryError, match="not a SIF image"):
        ImageRegistry(Address(host, "p")).digest("t")


def test_nobody_there(guarded):
    guarded.shutdown()
    guarded.server_close()
    with pytest.raises(RegistryError, match="does not answer") as caught:
        ImageRegistry(Address(f"127.0.0.1:{guarded.server_port}", "p")).digest("t")
    assert "refused" in str(caught.value)
