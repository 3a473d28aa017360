"""A real registry of images on loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from deeprc.cluster import free_ports

READER = "reader:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"  # the password is: secret


@dataclass
class LocalRegistry:
    """Debian's docker-registry on loopback."""

    root: Path
    guarded: bool = False
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.root / "log"

    def start(self) -> None:
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.root / "data")}},
            "http": {"addr": self.host},
        }
        if self.guarded:
            (self.root / "htpasswd").write_text(READER)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.root / "htpasswd")}}
        (self.root / "config.yml").write_text(yaml.safe_dump(config))
        with self.log.open("a") as log:
            command = ["docker-registry", "serve", str(self.root / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def blob(self, digest: str) -> Path:
        """Where the registry keeps the bytes."""
        code = digest.removeprefix("sha256:")
        return self.root / "data/docker/registry/v2/blobs/sha256" / code[:2] / code / "data"

    def requests(self, digest: str) -> list[int]:
        """The status of each request for the bytes of an image (a pull's, not a push's)."""
        lines = [line for line in self.log.read_text().splitlines() if '"GET /v2/' in line and digest in line]
        return [int(line.split('" ')[1].split()[0]) for line in lines]
