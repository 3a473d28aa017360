"""What a web server does amid an answer: cut or changed files are errors, no rows that are not theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deeprc.core.errors import InputError
from deeprc.frames.files import found
from deeprc.frames.lazy.changed import check, look
from deeprc.frames.remote import http
from deeprc.frames.remote.location import Remote, address

TEXT = b"a,b\n" + b"1,2\n" * 40_000


class Unsteady(BaseHTTPRequestHandler):
    """Serves TEXT; `told` of the server says how."""

    def do_GET(self) -> None:
        told, part = self.server.told, self.headers.get("Range")
        pages = told.get("pages", {})
        if f"{self.path}/" in pages or "gone" in self.path or "%2A" in self.path:
            self.send_response(301 if f"{self.path}/" in pages else 404)
            self.send_header("Location", f"{self.path}/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content, first, last = pages.get(self.path, told.get("content", TEXT)), 0, None
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
    seen = look(file)
    check([file], [seen])
    told["content"] = TEXT[:70_000]
    with pytest.raises(InputError, match="another one since it was scanned"):
        check([file], [seen])


def test_what_a_page_lists_is_read_or_is_an_error(server: tuple[Remote, dict]) -> None:
    """Folders in it, and files that are not there, were left out."""
    folder, pages = server[0].parent / "dir", server[1].setdefault("pages", {})
    pages |= {
        "/dir/": b'<a href="a.csv">a</a><a href="sub/">sub</a><a href="_SUCCESS">',
        "/dir/sub/": b'<a href="b.csv">',
    }
    assert [str(file.path) for file in found(folder, "*.csv")[1]] == ["dir/a.csv", "dir/sub/b.csv"]
    pages["/dir/sub/"] += b'<a href="gone.csv">'
    for path in (folder, folder / "*" / "*.csv"):
        with pytest.raises(InputError, match=r"/dir/sub/gone\.csv: this file is listed, but not there"):
            found(path, "*.csv")
    pages["/dir/sub/"] = b'<a href="b.CSV">'
    with pytest.raises(InputError, match=r"/dir/sub/b\.CSV: a file of another name"):
        found(folder, "*.csv")


def test_a_copy_is_put_nowhere_but_in_tmpdir(server: tuple[Remote, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    with pytest.raises(InputError, match="TMPDIR is no folder"):
        server[0].open()
