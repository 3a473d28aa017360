"""What a web server does amid an answer: cut or changed files are errors, no rows that are not theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deeprc.core.errors import InputError
from deeprc.frames.remote import http
from deeprc.frames.remote.location import Remote, address

TEXT = b"a,b\n" + b"1,2\n" * 40_000


class Unsteady(BaseHTTPRequestHandler):
    """Serves TEXT; `told` of the server says how."""

    def do_GET(self) -> None:
        told, part = self.server.told, self.headers.get("Range")
        content, first, last = told.get("content", TEXT), 0, None
        if part and told.get("parts"):
            first, last = (int(at) for at in part.removeprefix("bytes=").split("-"))
            if first >= len(content):
                self.send_error(416)
                return
        sent = content[first : None if last is None else last + 1]
        self.send_response(200 if last is None else 206)
        if last is not None:
            self.send_header("Content-Range", f"bytes {first}-{first + len(sent) - 1}/{len(content)}")
        if told.get("marks", True):
            self.send_header("Last-Modified", told.get("time", "Mon, 01 Jan 2024 00:00:00 GMT"))
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent[: told.get("cut")])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Remote, dict]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Unsteady) as served:
        served.told = {}
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield address(f"http://127.0.0.1:{served.server_port}/rows.csv"), served.told
        served.shutdown()
        thread.join()


def test_a_copy_that_was_cut_is_an_error(server: tuple[Remote, dict]) -> None:
    file, told = server
    told["cut"] = 100_000
    with pytest.raises(InputError, match="ended the connection in the middle"):
        file.open()
    told.clear()
    assert file.open().read() == TEXT


def test_a_folder_s_page_that_was_cut_is_an_error(server: tuple[Remote, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, told = server[0].parent, server[1]
    told |= {"content": b'<a href="a.csv">a</a><a href="b.csv">b</a>', "cut": 25}
    with pytest.raises(InputError, match="ended the connection in the middle"):
        list(folder.iterdir())
    del told["cut"]
    assert [entry.name for entry in folder.iterdir()] == ["a.csv", "b.csv"]
    monkeypatch.setattr(http, "PAGE", 25)
    with pytest.raises(InputError, match="page of links is too long"):
        list(folder.iterdir())


@pytest.mark.parametrize("changed", [{"time": "Tue, 02 Jan 2024 00:00:00 GMT"}, {"content": TEXT[:70_000]}])
def test_a_file_that_changes_while_it_is_read_is_an_error(server: tuple[Remote, dict], changed: dict) -> None:
    file, told = server
    told["parts"] = True
    with file.open() as opened:
        assert opened.read(10) == TEXT[:10]
        told |= changed
        opened.seek(80_000)
        with pytest.raises(InputError, match="another one while it was read"):
            opened.read(10)


def test_copies_without_a_mark_stay_as_they_are(server: tuple[Remote, dict]) -> None:
    """A plan reads them later, by their number among the open files."""
    file, told = server
    told["marks"] = False
    first, _ = file.scanned()
    told["content"] = b"a,b\n9,9\n"
    second, _ = file.scanned()
    third, _ = file.scanned()
    assert first.read_bytes() == TEXT
    assert second.read_bytes() == third.read_bytes() == told["content"]


def test_a_file_that_has_changed_since_it_was_looked_at_is_an_error(server: tuple[Remote, dict]) -> None:
    file, told = server
    told["parts"] = True
    known = replace(file, known=file.state())
    assert known.scanned()[0] == str(file)
    told["content"] = TEXT[:70_000]
    with pytest.raises(InputError, match="another one since it was scanned"):
        known.scanned()


def test_a_copy_is_put_nowhere_but_in_tmpdir(server: tuple[Remote, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    with pytest.raises(InputError, match="TMPDIR is no folder"):
        server[0].open()
