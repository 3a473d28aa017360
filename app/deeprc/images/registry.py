"""An OCI registry: what an address names, a file's bytes from any offset on, and what is put there.

Apptainer can pull and push, too, but begins anew after a break, knows nothing of indexes, tells a login that is refused
only after the upload, and is missing on many login nodes, where the network is. This is the part of the OCI
distribution specification that images need. (oras-py 0.2 begins a blob anew after a break, takes whatever bytes come
without looking at their digest, and asks for its login by Docker's files only.)
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException, HTTPResponse
from typing import BinaryIO

from deeprc.images import web
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.login import login

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SIF_LAYER = "application/vnd.sylabs.sif.layer.v1.sif"
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le"}  # what an index calls them
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"  # OCI distribution-spec 1.1, "Pulling manifests"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
Body = Callable[[], BinaryIO | bytes]


@dataclass(frozen=True)
class Address:
    """`oras://HOST/REPOSITORY[:TAG]`."""

    host: str
    repository: str
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address in `text`."""
        match = re.fullmatch(r"oras://([^/@\s]+)/([^:@\s]+?)/?(?::([\w.-]+))?", text, flags=re.ASCII)
        if not match:
            raise ImageError("not an address of an image", found=text, expected="oras://HOST/REPOSITORY[:TAG]")
        host, repository, tag = match.groups()
        if not _REPOSITORY.fullmatch(repository) or not _TAG.fullmatch(tag or "0"):
            lower = f"oras://{host}/{repository.lower()}" + (f":{tag}" if tag else "")
            fits = _REPOSITORY.fullmatch(repository.lower()) and _TAG.fullmatch(tag or "0")
            raise ImageError(
                "not an address that registries take", where=text,
                found=f"the repository {repository}" + (f", the tag {tag}" if tag else ""),
                expected="a repository of a-z and 0-9, with . _ - between them and / between parts; a tag of A-Z a-z "
                "0-9 _ . -, 128 at most, that begins with none of the last two",
                fix=lower if fits else None,
            )  # fmt: skip
        return cls(host, repository, tag)

    def __str__(self) -> str:
        return f"oras://{self.host}/{self.repository}" + (f":{self.tag}" if self.tag else "")

    @property
    def plain(self) -> bool:
        """Whether it is spoken to without encryption: on this machine only."""
        return bool(web.LOOPBACK.match(self.host))


class AbsentError(RegistryError):
    """The registry does not have it (HTTP 404)."""


class BeyondEndError(RegistryError):
    """As many bytes have arrived as there are, or more (HTTP 416)."""


class ImageRegistry:
    """One repository of a registry.

    Anonymous access is asked for first; where the registry wants a name, that of `login` is given.

    Parameters
    ----------
    address
        Which repository.
    write
        Whether something is to be put there.
    """

    def __init__(self, address: Address, *, write: bool = False) -> None:
        self.address, self._write = address, write
        self.root = f"{'http' if address.plain else 'https'}://{address.host}/v2/{address.repository}"
        self._authorization: str | None = None

    @cached_property
    def _login(self) -> str | None:
        return login(self.address.host)

    def digest(self, tag: str, architecture: str | None = None) -> tuple[str, int]:
        """The digest and size of the image that a tag names now, or its index for that architecture."""
        manifest = self.manifest(tag)
        try:
            if manifest.get("mediaType") == INDEX:
                rows = {row["platform"]["architecture"]: row["digest"] for row in manifest["manifests"]}
                if (wanted := PROCESSORS.get(architecture or "", architecture)) not in rows:
                    raise RegistryError(
                        f"no image for {architecture}", where=self.address, found=f"an index of {', '.join(rows)}"
                    )
                manifest = self.manifest(rows[wanted])
            return next((row["digest"], row["size"]) for row in manifest["layers"] if row["mediaType"] == SIF_LAYER)
        except (KeyError, TypeError, StopIteration):
            raise RegistryError("what this address names is not a SIF image", where=self.address) from None

    def manifest(self, tag: str) -> dict:
        """The manifest or the index that a tag or a digest names now."""
        accept = {"Accept": f"{MANIFEST}, {INDEX}"}
        with self.open(f"/manifests/{tag}", accept, missing=f"no image with the tag {tag!r}") as answer:
            try:
                return dict(json.load(answer))
            except (ValueError, TypeError):
                raise RegistryError("what this address names is not a SIF image", where=self.address) from None

    def blob(self, digest: str, offset: int = 0) -> HTTPResponse:
        """The bytes of an image, from `offset` on where the registry can (status 206), else from the start (200)."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        return self.open(f"/blobs/{digest}", headers, missing=f"no image with the digest {digest}")

    def open(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        missing: str = "no such thing",
        *,
        method: str = "GET",
        body: Body | None = None,
        patience: float = 1.0,
    ) -> HTTPResponse:
        """The answer to a request for `path` of this repository, or for a whole address that the registry has given.

        Parameters
        ----------
        missing
            What the registry lacks if it does not know it.
        body
            Gives what is sent along, anew at each try.
        patience
            How many times the usual may pass until it answers.
        """
        url = path if "://" in path else self.root + path
        for attempt in (0, 1):
            data = body() if body else None
            request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
            if self._authorization and urllib.parse.urlsplit(url).netloc == self.address.host:
                # Not for the storage service that a registry may send us on to.
                request.add_unredirected_header("Authorization", self._authorization)
            try:
                return web.send(request, patience=patience)
            except urllib.error.HTTPError as error:
                if error.code == 401 and not attempt:
                    self._authorization = self._authorize(error.headers.get("WWW-Authenticate", ""))
                elif error.code == 404:
                    raise AbsentError(f"the registry has {missing}", where=self.address) from None
                elif error.code == 416:
                    raise BeyondEndError("nothing is left to fetch", where=self.address) from None
                elif error.code in (401, 403):
                    raise self._denied(f"{error.code} {error.reason}") from None
                else:
                    raise self._unavailable(f"{error.code} {error.reason}") from None
            except (OSError, HTTPException) as error:
                raise self._unavailable(getattr(error, "reason", None) or error) from None
            finally:
                if hasattr(data, "close"):
                    data.close()
        raise AssertionError("unreachable")

    def _authorize(self, challenge: str) -> str:
        """The header that answers a registry's challenge: the name itself, or a token that its token service gives."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._login:
            return f"Basic {self._login}"
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or "realm" not in asked:
            raise self._denied("the registry wants a name")
        scope = f"repository:{self.address.repository}:{'pull,push' if self._write else 'pull'}"
        service = {"service": asked.get("service", ""), "scope": scope}
        request = urllib.request.Request(f"{asked['realm']}?{urllib.parse.urlencode(service)}")
        if self._login:
            request.add_header("Authorization", f"Basic {self._login}")
        try:
            with web.send(request) as answer:
                body = json.load(answer)
            return f"Bearer {body.get('token') or body['access_token']}"
        except (OSError, ValueError, HTTPException, KeyError, AttributeError) as error:
            raise self._denied(f"its token service: {error}") from None

    def _denied(self, found: object) -> RegistryError:
        who = "the login that was found" if self._login else "no login was found"
        fix = f"`apptainer registry login oras://{self.address.host}`, or ask whoever publishes the image"
        what = f"the registry does not let us {'write' if self._write else 'read'} this"
        return RegistryError(what, where=self.address, found=f"{found}; {who}", fix=fix)

    def _unavailable(self, found: object) -> RegistryError:
        again = "try again later" if self._write else "try again later (a pull goes on where it stopped)"
        return RegistryError(
            "the registry does not answer",
            where=self.address,
            found=found,
            fix=f"{again}, or from a node that reaches it",
        )
