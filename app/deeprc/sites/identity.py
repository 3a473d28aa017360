"""Whether this is the machine that a site file is about: a run on the wrong one stops before it has begun."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Mapping, Sequence

from deeprc.core.errors import ConfigError
from deeprc.sites.load import readable_sites
from deeprc.sites.model import Site

CHOICE = "DEEPRC_SITE"  # a user who knows better names the site in it


def matches(site: Site, environment: Mapping[str, str] | None = None, hostname: str | None = None) -> bool:
    """Whether this is `site`: DEEPRC_SITE names it, or one of its variables or patterns of host names fits.

    A site without either is every machine. What is not given is this machine's.
    """
    environment = os.environ if environment is None else environment
    identity = site.identity
    if environment.get(CHOICE) == site.name or not (identity.environment or identity.hostnames):
        return True
    for name, pattern in identity.environment.items():
        if name in environment and re.fullmatch(pattern, environment[name]):
            return True
    if not identity.hostnames:
        return False
    hosts = host_names() if hostname is None else [hostname]
    return any(re.fullmatch(pattern, host) for pattern in identity.hostnames for host in hosts)


def looked_for(site: Site) -> str:
    """What a machine must have to be `site`, in words."""
    signs = [f"{name}={pattern} in the environment" for name, pattern in site.identity.environment.items()]
    signs += [f"a host called like {pattern}" for pattern in site.identity.hostnames]
    return ", or ".join(signs) if signs else "nothing: it is every machine"


def require(site: Site, environment: Mapping[str, str] | None = None, hostname: str | None = None) -> None:
    """Raise a ConfigError on any machine but `site`."""
    if matches(site, environment, hostname):
        return
    environment = os.environ if environment is None else environment
    found = [f"{name}={environment[name]}" for name in site.identity.environment if name in environment]
    found += [f"the host {hostname or ', '.join(host_names())}"]
    raise ConfigError(
        f"this is not {site.name}",
        found=", ".join(found),
        expected=looked_for(site),
        fix=f"take the site file of this machine (deeprc site detect), or set {CHOICE}={site.name} if this is it",
    )


def match(
    sites: Sequence[Site], environment: Mapping[str, str] | None = None, hostname: str | None = None
) -> list[Site]:
    """Those of `sites` that this is, the ones that are told by a sign before those that every machine is."""
    fitting = [site for site in sites if matches(site, environment, hostname)]
    chosen = (os.environ if environment is None else environment).get(CHOICE)

    def vague(site: Site) -> tuple[bool, bool]:
        return site.name != chosen, not (site.identity.environment or site.identity.hostnames)

    return sorted(fitting, key=vague)


def here_among_known() -> tuple[list[Site], list[str]]:
    """The known sites that this is, the likeliest first; and what is wrong with files that cannot be read."""
    sites, broken = readable_sites()
    return match(sites), [f"{error.where}: {error.problem}" for error in broken]


def host_names(patience: float = 3.0) -> list[str]:
    """This host's name as the kernel has it, and in full where the network knows that within `patience` seconds."""
    short = socket.gethostname()
    if "." in short:
        return [short]
    full: list[str] = []
    asking = threading.Thread(target=lambda: full.append(socket.getfqdn()), daemon=True)
    asking.start()
    asking.join(patience)  # a name server that is away would keep everybody waiting for half a minute
    return list(dict.fromkeys([short, *(name for name in full if name != "localhost")]))
