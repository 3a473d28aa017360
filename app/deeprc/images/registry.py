"""Reading from an OCI registry: what an address names, and a file's bytes from any offset on.

Apptainer can pull, too, but begins anew after a break, and is missing on many login nodes, where the network is. What
is written here is the part of the OCI distribution specification that a pull needs; pushing is left to Apptainer.
"""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from deeprc.images.errors import ImageError, RegistryError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SIF_LAYER = "application/vnd.sylabs.sif.layer.v1.sif"
TIMEOUT = float(os.environ.get("DEEPRC_REGISTRY_TIMEOUT", "60"))  # seconds without a byte
LOOPBACK = re.compile(r"^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$")


@dataclass(frozen=True)
class Address:
    """`oras://HOST/REPOSITORY[:TAG]`."""

    host: str
    repository: str
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address in `text`."""
        match = re.fullmatch(r"oras://([^/@\s]+)/([^:@\s]+?)/?(?::([\w.-]+))?", text)
        if not match:
            raise ImageError("not an address of an image", found=text, expected="oras://HOST/REPOSITORY[:TAG]")
        return cls(*match.groups())

    def __str__(self) -> str:
        return f"oras://{self.host}/{self.repository}" + (f":{self.tag}" if self.tag else "")

    @property
    def plain(self) -> bool:
        """Whether it is spoken to without encryption: on this machine only."""
        return bool(LOOPBACK.match(self.host))


class Registry:
    """One repository of a registry.

    Anonymous access is asked for first; where the registry wants a name, Apptainer's and Docker's own files are looked
    in (`apptainer registry login`).
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.root = f"{'http' if address.plain else 'https'}://{address.host}/v2/{address.repository}"
        self._authorization: str | None = None

    def digest(self, tag: str) -> tuple[str, int]:
        """The digest and size of the image that a tag names now."""
        with self._open(f"/manifests/{tag}", {"Accept": MANIFEST}, missing=f"no image with the tag {tag!r}") as answer:
            try:
                layers = json.load(answer)["layers"]
                return next((row["digest"], row["size"]) for row in layers if row["mediaType"] == SIF_LAYER)
            except (ValueError, KeyError, TypeError, StopIteration):
                raise RegistryError("what this address names is not a SIF image", where=self.address) from None

    def blob(self, digest: str, offset: int = 0) -> HTTPResponse:
        """The bytes of an image, from `offset` on where the registry can (status 206), else from the start (200)."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        return self._open(f"/blobs/{digest}", headers, missing=f"no image with the digest {digest}")

    def _open(self, path: str, headers: dict[str, str], missing: str) -> HTTPResponse:
        for attempt in (0, 1):
            request = urllib.request.Request(self.root + path, headers=headers)
            if self._authorization:  # not for the storage service that a registry may send us on to
                request.add_unredirected_header("Authorization", self._authorization)
            try:
                return urllib.request.urlopen(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as error:
                if error.code == 401 and not attempt:
                    self._authorization = self._authorize(error.headers.get("WWW-Authenticate", ""))
                elif error.code == 404:
                    raise RegistryError(f"the registry has {missing}", where=self.address) from None
                elif error.code in (401, 403):
                    raise self._denied(f"{error.code} {error.reason}") from None
                else:
                    raise self._unavailable(f"{error.code} {error.reason}") from None
            except (OSError, HTTPException) as error:
                raise self._unavailable(getattr(error, "reason", None) or error) from None
        raise AssertionError("unreachable")

    def _authorize(self, challenge: str) -> str:
        """The header that answers a registry's challenge: the name itself, or a token that its token service gives."""
        scheme, _, rest = challenge.partition(" ")
        login = _login(self.address.host)
        if scheme.lower() == "basic" and login:
            return f"Basic {login}"
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or "realm" not in asked:
            raise self._denied("the registry wants a name")
        service = {"service": asked.get("service", ""), "scope": f"repository:{self.address.repository}:pull"}
        request = urllib.request.Request(f"{asked['realm']}?{urllib.parse.urlencode(service)}")
        if login:
            request.add_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                body = json.load(answer)
        except (OSError, ValueError, HTTPException) as error:
            raise self._denied(f"its token service: {error}") from None
        return f"Bearer {body.get('token') or body.get('access_token')}"

    def _denied(self, found: object) -> RegistryError:
        fix = f"`apptainer registry login oras://{self.address.host}`, or ask whoever publishes the image"
        return RegistryError("the registry does not let us read this", where=self.address, found=found, fix=fix)

    def _unavailable(self, found: object) -> RegistryError:
        return RegistryError(
            "the registry does not answer",
            where=self.address,
            found=found,
            fix="try again later (a pull goes on where it stopped), or from a node that reaches it",
        )


def _login(host: str) -> str | None:
    """The name and password for a registry, as Apptainer or Docker keeps them (base64), or None."""
    for file in (Path.home() / ".apptainer/docker-config.json", Path.home() / ".docker/config.json"):
        try:
            entry = json.loads(file.read_text(encoding="utf-8"))["auths"][host]
            base64.b64decode(entry["auth"], validate=True)
            return entry["auth"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
