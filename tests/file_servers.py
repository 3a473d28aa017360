"""Servers of files on loopback: a web server that gives parts of files, and an S3 server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY, SECRET = "AKIDOFTHETESTS", "secretofthetests0123456789"


class Files(SimpleHTTPRequestHandler):
    """Files and pages of links; parts of files but below `/whole`, and nothing below `/closed`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        file, part = Path(self.translate_path(self.path)), re.match(r"bytes=(\d*)-(\d*)$", self.headers["Range"] or "")
        if self.path.startswith("/closed"):
            self.send_error(403)
        elif not file.is_file() or part is None or self.path.startswith("/whole"):
            super().do_GET()
        else:
            whole = file.read_bytes()
            first = int(part[1]) if part[1] else max(len(whole) - int(part[2]), 0)
            end = min(int(part[2]) + 1, len(whole)) if part[1] and part[2] else len(whole)
            if first >= len(whole):
                self.send_error(416)
                return
            self.server.sent[self.path] += end - first
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(whole)}")
            self.send_header("Content-Length", str(end - first))
            self.send_header("Last-Modified", self.date_time_string(file.stat().st_mtime))
            self.end_headers()
            self.wfile.write(whole[first:end])


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Files, directory=str(folder)))
        self.sent: Counter = Counter()  # bytes of each file, in parts

    def handle_error(self, *_: object) -> None:
        """Whoever asks for one byte, and would get the whole file, hangs up."""


@contextmanager
def web(folder: Path) -> Iterator[tuple[str, Counter]]:
    """A web server's address, and how many bytes of each file it has given in parts."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def s3(folder: Path) -> Iterator[dict[str, str]]:
    """An S3 server, whose buckets are the folders in `folder`: the environment by which it is read."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        environment = {**os.environ, "NANIO_ACCESS_KEY": KEY, "NANIO_SECRET_KEY": SECRET}
        program = [sys.executable, str(Path(__file__).with_name("s3_server.py")), str(folder), str(listening.fileno())]
        process = subprocess.Popen(program, env=environment, pass_fds=[listening.fileno()])
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    finally:
        process.terminate()
        process.wait(30)
