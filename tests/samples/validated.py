"""Whether a folder or an archive keeps the RO-Crate profiles that it names, asked of their validator without a network.

contexts/ has the JSON-LD contexts (CC0) that the validator would fetch: those of RO-Crate 1.1 and of its workflow-run
terms.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from requests import ConnectionError, PreparedRequest, Response

CONTEXTS = Path(__file__).with_name("contexts")
FILES = {
    "https://w3id.org/ro/crate/1.1/context": "ro-crate-1.1.json",
    "https://w3id.org/ro/terms/workflow-run/context": "workflow-run.json",
}


def issues(crate: Path) -> list[str]:
    """What the crate lacks of all that its profiles require."""
    from rocrate_validator import models, services

    with mock.patch("requests.adapters.HTTPAdapter.send", _answer):
        settings = services.ValidationSettings(
            rocrate_uri=str(crate), profile_identifier="provenance-run-crate-0.5", no_cache=True,
            requirement_severity=models.Severity.REQUIRED,
        )  # fmt: skip
        found = services.validate(settings).get_issues()
    return [f"{issue.check.identifier}: {issue.message} {issue.violatingEntity or ''}" for issue in found]


def _answer(adapter: object, request: PreparedRequest, **given: object) -> Response:
    """In the place of the network."""
    if request.url not in FILES:
        raise ConnectionError(request.url)
    answer = Response()
    answer.status_code, answer.url, answer.request = 200, request.url, request
    answer._content = (CONTEXTS / FILES[request.url]).read_bytes()
    answer.headers["Content-Type"] = "application/ld+json"
    return answer
