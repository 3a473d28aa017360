import pytest

from deeprc.core.errors import ConfigError
from deeprc.sites import load_site
from deeprc.sites.identity import looked_for, match, matches, require

FRONTERA = {"environment": {"TACC_SYSTEM": "frontera"}, "hostnames": [r".*\.frontera\.tacc\.utexas\.edu"]}


@pytest.fixture
def site():
    """A function that makes a site with an identity."""

    def make(name="frontera", **identity):
        base = load_site("localhost")
        kind = type(base.identity)
        return base.model_copy(update={"name": name, "identity": kind(**identity)})

    return make


@pytest.mark.parametrize(
    ("environment", "hostname", "expected"),
    [
        ({"TACC_SYSTEM": "frontera"}, "c101-001", True),
        ({"TACC_SYSTEM": "vista"}, "c101-001", False),
        ({"TACC_SYSTEM": "frontera2"}, "c101-001", False),
        ({}, "login1.frontera.tacc.utexas.edu", True),
        ({}, "login1.frontera.tacc.utexas.edu.example.org", False),
        ({}, "laptop", False),
        ({"DEEPRC_SITE": "frontera"}, "laptop", True),
        ({"DEEPRC_SITE": "vista"}, "laptop", False),
        ({"DEEPRC_SITE": "vista", "TACC_SYSTEM": "frontera"}, "laptop", True),
    ],
)
def test_a_site_is_known_by_any_of_its_signs(site, environment, hostname, expected):
    assert matches(site(**FRONTERA), environment, hostname) is expected


def test_a_site_without_signs_is_every_machine(site):
    assert matches(site(), {}, "laptop") and matches(load_site("localhost"))


def test_what_was_looked_for(site):
    words = r"TACC_SYSTEM=frontera in the environment, or a host called like .*\.frontera\.tacc\.utexas\.edu"
    assert looked_for(site(**FRONTERA)) == words


def test_the_wrong_machine_is_an_error_that_says_what_it_looked_for(site):
    with pytest.raises(ConfigError, match="this is not frontera") as error:
        require(site(**FRONTERA), {"TACC_SYSTEM": "vista"}, "login1")
    assert error.value.found == "TACC_SYSTEM=vista, the host login1"
    assert "TACC_SYSTEM=frontera in the environment" in error.value.expected
    assert "DEEPRC_SITE=frontera" in error.value.fix
    require(site(**FRONTERA), {"DEEPRC_SITE": "frontera"}, "login1")


def test_a_site_that_is_told_by_a_sign_comes_before_those_that_every_machine_is(site):
    everywhere, told, other = site("everywhere"), site(**FRONTERA), site("other", environment={"X": "y"})
    names = [one.name for one in match([everywhere, told, other], {"TACC_SYSTEM": "frontera"}, "c1")]
    assert names == ["frontera", "everywhere"]
    chosen = match([everywhere, told], {"TACC_SYSTEM": "frontera", "DEEPRC_SITE": "everywhere"}, "c1")
    assert chosen[0].name == "everywhere"
