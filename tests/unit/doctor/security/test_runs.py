"""Secrets that a run was given, and what killed runs have left."""

import os

import pytest

from deeprc.doctor.security import leftovers
from deeprc.doctor.security.listening import RunningPilot
from deeprc.doctor.security.place import Place

RUN = "20260101T000000-999999999"  # of a process that is none: numbers end below


def rows(found):
    return [(one.subject, one.status, one.text, one.fix) for one in found]


ENVIRONMENT = b"HOME=/root\0API_TOKEN=0123456789\0KEYBOARD=us\0SSH_KEY=/etc/hostname\0DSN=db://me:hidden@there/x\0"


def test_secrets_are_told_by_the_names_of_variables():
    assert leftovers.names(ENVIRONMENT) == ["API_TOKEN", "DSN"]
    assert leftovers.names(b"#!/bin/sh\nexport DB_PASSWORD='correct horse'\nX=1; MY_SECRET=\"$OTHER_SECRET\"\n") == [
        "DB_PASSWORD"
    ]


def test_secrets_of_a_configuration_are_told_by_its_keys():
    config = {"service": {"api_key": "x", "host": "there"}, "password": ["a", {"b": 1}], "token": None, "n": 3}
    config |= {"primary_key": "station_id", "max_tokens": 10**8}  # neither is one
    assert leftovers.keys(config) == ["password", "password.b", "service.api_key"]


def test_what_a_killed_run_has_left(place):
    run = place.runs[0]
    assert rows(leftovers.secrets(place)) == [("runs", "ok", "1 ended run left none behind", None)]
    (run / "environment").write_bytes(ENVIRONMENT)
    (run / "pilot-1" / "rank.env").write_text("export OTHER_TOKEN=0123456789\n")
    (run / "configuration.json").write_text('{"login": {"password": "hidden"}}')
    (found,) = leftovers.secrets(place)
    assert rows([found]) == [
        (
            "runs",
            "failed",
            f"{run} has ended, and left API_TOKEN, DSN, OTHER_TOKEN, login.password in plain text in 3 files;"
            " expected none",
            f"`rm -r {run}`; take new ones if others could read it",
        )
    ]
    assert found.figures == [
        {"file": str(run / "configuration.json"), "names": ["login.password"]},
        {"file": str(run / "environment"), "names": ["API_TOKEN", "DSN"]},
        {"file": str(run / "pilot-1" / "rank.env"), "names": ["OTHER_TOKEN"]},
    ]


HOST = '{{"event": "run", "host": "{}"}}\n{{"event": "pilot", "state": "{}"}}\n'


@pytest.mark.parametrize(
    ("name", "told", "may"),
    [
        (RUN, "", False),
        ("20260101T000000-{us}", "", True),  # its process is there
        (RUN, HOST.format("elsewhere", "active"), True),
        ("20260101T000000-{us}", HOST.format("elsewhere", "closed"), False),
        (RUN, '{"event"', False),
    ],
)
def test_whether_a_run_may_still_go_on(place, name, told, may):
    run = place.runs[0].rename(place.folder / "runs" / name.format(us=os.getpid()))
    (run / "events.jsonl").write_text(told)
    assert leftovers.may_run(run, place) is may


def test_a_run_whose_pilot_is_here_goes_on(place):
    running = Place(place.folder, [RunningPilot(place.runs[0] / "pilot-1", {})], [], place.store)
    (place.runs[0] / "environment").write_bytes(ENVIRONMENT)
    (found,) = leftovers.secrets(running)
    assert (found.status, found.text) == ("ok", "0 ended runs left none behind; 1 may go on")
