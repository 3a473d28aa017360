"""Requests by HTTP: proxied as the environment says, and never to this machine itself."""

from __future__ import annotations

import ipaddress
import math
import os
import re
import urllib.request
from http.client import HTTPResponse

from deeprc.core.errors import ConfigError

LOOPBACK = re.compile(r"^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$")


class _Proxies(urllib.request.ProxyHandler):
    """The environment's proxies, but for hosts that `direct` names."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> object:  # its name and parameters
        return None if direct(req.host) else super().proxy_open(req, proxy, type)


def direct(host: str) -> bool:
    """Whether a host is spoken to without a proxy: this machine, or what `no_proxy` names.

    Python knows names and endings of names there; networks (10.0.0.0/8), which curl and Go know, are added.
    """
    if LOOPBACK.match(host):
        return True
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    try:
        address = ipaddress.ip_address(host.rpartition(":")[0].strip("[]") if ":" in host else host)
    except ValueError:
        return bool(urllib.request.proxy_bypass(host))
    return bool(urllib.request.proxy_bypass(host)) or any(_within(address, text.strip()) for text in named.split(","))


def send(request: urllib.request.Request, *, patience: float = 1.0) -> HTTPResponse:
    """Send a request; `patience` times the usual may pass without a byte."""
    return urllib.request.build_opener(_Proxies).open(request, timeout=patience * timeout())


def timeout() -> float:
    """Seconds without a byte after which a registry is given up: $DEEPRC_REGISTRY_TIMEOUT."""
    text = os.environ.get("DEEPRC_REGISTRY_TIMEOUT") or "60"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigError("not a time", where="DEEPRC_REGISTRY_TIMEOUT", found=text, expected="seconds, such as 60")
    return seconds


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
