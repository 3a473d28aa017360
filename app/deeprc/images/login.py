"""The name and password for a registry: where Apptainer, Docker and podman keep them, or this shell's own."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from pathlib import Path

from deeprc.core.errors import ConfigError

VARIABLES = ("APPTAINER_DOCKER", "SINGULARITY_DOCKER")  # with _USERNAME and _PASSWORD; for any registry
TOKEN = "<token>"  # a name that a credential helper gives with a token that is no password


def login(host: str) -> str | None:
    """`name:password` for a registry, in base64; None where nobody has logged in.

    The environment's comes first, then the first that is found in `files`.

    Raises
    ------
    ConfigError
        Where a name has no password, or a file is not what it should be.
    """
    for prefix in VARIABLES:
        name, password = (os.environ.get(f"{prefix}_{word}") for word in ("USERNAME", "PASSWORD"))
        if name and password:
            return _encoded(name, password)
        if name or password:
            missing = "PASSWORD" if name else "USERNAME"
            raise ConfigError("half a registry login", where=f"{prefix}_*", found=f"no {prefix}_{missing}")
    for file in files():
        if file.is_file() and (found := _of(file, host)):
            return found
    return None


def files() -> list[Path]:
    """Where logins are looked for: `$DOCKER_CONFIG`, Apptainer's own file, Docker's."""
    home, named = Path.home(), os.environ.get("DOCKER_CONFIG")
    if named and not Path(named).is_dir():
        raise ConfigError("no such folder", where="DOCKER_CONFIG", found=named, expected="a folder with a config.json")
    apptainer = Path(os.environ.get("APPTAINER_CONFIGDIR") or home / ".apptainer") / "docker-config.json"
    return [*([Path(named) / "config.json"] if named else []), apptainer, home / ".docker/config.json"]


def _of(file: Path, host: str) -> str | None:
    """What a file says of a registry: a login, or the program that has it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        entries = {_host(name): entry for name, entry in content.get("auths", {}).items()}
        helpers = {_host(name): program for name, program in content.get("credHelpers", {}).items()}
        entry = entries.get(host) or {}
        if auth := entry.get("auth"):
            base64.b64decode(auth, validate=True)
            return auth
        if entry.get("username") and entry.get("password"):
            return _encoded(entry["username"], entry["password"])
        if program := helpers.get(host) or (content.get("credsStore") if host in entries else None):
            return _asked(program, host)
    except (ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise ConfigError("not a file of registry logins", where=file, found=error, fix="log in anew") from None
    except OSError as error:
        raise ConfigError("registry logins cannot be read", where=file, found=error.strerror) from None
    return None


def _asked(program: str, host: str) -> str | None:
    """What a credential helper of Docker's says."""
    try:
        done = subprocess.run([f"docker-credential-{program}", "get"], input=host, capture_output=True, text=True)
    except OSError:
        return None
    found = json.loads(done.stdout) if done.returncode == 0 else {}
    name, secret = found.get("Username"), found.get("Secret")
    return _encoded(name, secret) if name and secret and name != TOKEN else None


def _host(name: str) -> str:
    """A registry as files name it: `https://registry.example.org/v2/` is registry.example.org."""
    return name.rpartition("://")[2].split("/")[0]


def _encoded(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()
