"""A page in headless Chromium, over the DevTools protocol on a pipe: no port, no driver, no further package.

Playwright would bring a driver of 40 MB for the few commands that the tests of the report and screenshot.py send. JSON
messages, each ended by a zero byte, go in at file descriptor 3 and come out at 4 (`--remote-debugging-pipe`).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeprc.core.errors import DeepRCError

FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


class BrowserError(DeepRCError):
    """Chromium is missing, does not answer, or refuses a command."""


class Page:
    """One tab. `events` holds what the browser told since the page was opened, oldest first."""

    def __init__(self, to: int, came: int) -> None:
        self._to, self._came, self._buffer, self._number = to, came, b"", 0
        self._session: str | None = None
        self.events: list[dict] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, *, timeout: float = 30, **parameters: Any) -> dict:
        """Send a command of the protocol and give its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self._receive(deadline, method)
            if answer.get("id") != self._number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"Chromium refused {method}", found=answer["error"]["message"])
            else:
                return answer["result"]

    def _receive(self, deadline: float, waiting_for: str) -> dict:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._came], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self._came, 1 << 20) if ready else b""
            if not data:
                raise BrowserError(
                    "Chromium does not answer", found="it ended" if ready else f"no answer to {waiting_for}"
                )
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def open(
        self, path: Path, *, width: int, height: int = 900, scheme: str = "light", scale: float = 1,
        scripts: bool = True,
    ) -> None:  # fmt: skip
        """Load a file in a window of that size (CSS pixels) and wait until its charts are drawn.

        Without `scripts` the page is loaded as a browser does whose JavaScript is off, and no chart is waited for.
        """
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        self.scheme(scheme)
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.send("Page.navigate", url=path.absolute().as_uri())
        drawn = " && document.documentElement.hasAttribute('data-drawn')" if scripts else ""
        self.wait(f"location.href !== 'about:blank' && document.readyState === 'complete'{drawn}")

    def scheme(self, name: str) -> None:
        """Prefer `light` or `dark` pages from now on."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserError("the script failed", found=result["exceptionDetails"]["exception"].get("description"))
        return result["result"].get("value")

    def wait(self, condition: str, *, timeout: float = 30) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + timeout
        while not self.evaluate(condition):
            if time.monotonic() > deadline:
                raise BrowserError("the page did not get ready", expected=condition)
            time.sleep(0.05)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, as PNG."""
        image = self.send("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip() if whole else {})
        path.write_bytes(base64.b64decode(image["data"]))

    def _clip(self) -> dict:
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """A new page in a Chromium of its own, which ends with the block."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise BrowserError("no Chromium here", fix="install it (Debian: apt-get install chromium)")
    read_in, to = os.pipe()
    came, write_out = os.pipe()

    def connect() -> None:  # in the child: its ends of the pipes become descriptors 3 and 4
        inner = [os.dup(fd) for fd in (read_in, write_out)]
        for fd, number in zip(inner, (3, 4), strict=True):
            os.dup2(fd, number, inheritable=True)

    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to work for root
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=connect,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_in), os.close(write_out)
        try:
            yield Page(to, came)
        finally:
            os.close(to), os.close(came)  # Chromium ends when its pipe is closed
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
