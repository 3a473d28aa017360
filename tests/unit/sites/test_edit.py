"""Keys of a site file are changed, and nothing else of it."""

import pytest
import yaml

from deeprc.core.errors import ConfigError
from deeprc.sites import known_sites, sites_folder
from deeprc.sites.edit import with_keys

TEXT = """\
# a head
scheduler: {name: slurm, mark: U}   # flow
launcher:
  name: srun    # a comment
  mark: "!"
  source: "a: b;
    and c"
partitions:
  - name: gpu
    # between
    cores: 4
"""


def test_all_else_stays():
    text = with_keys(TEXT, ["scheduler"], {"mark": "seen", "source": "x: 'y'"})
    text = with_keys(text, ["launcher"], {"mark": "seen", "source": "new"})
    assert (
        with_keys(text, ["partitions", 0], {"mark": "seen", "unverified": ["cores"]})
        == """\
# a head
scheduler: {name: slurm, mark: seen, source: "x: 'y'"}   # flow
launcher:
  name: srun    # a comment
  mark: seen
  source: new
partitions:
  - name: gpu
    # between
    mark: seen
    unverified: [cores]
    cores: 4
"""
    )


def test_what_cannot_be_changed_safely_is_refused():
    with pytest.raises(ConfigError, match=r"cannot write mark into b"):
        with_keys("a: &x {mark: U}\nb: *x\n", ["b"], {"mark": "V"})


@pytest.mark.parametrize("name", known_sites())
def test_every_part_of_the_shipped_files_can_be_changed(name):
    text = (sites_folder() / name / "site.yaml").read_text()
    content = yaml.safe_load(text)
    for part, value in content.items():
        places = [[part, index] for index in range(len(value))] if isinstance(value, list) else [[part]]
        for place in places:
            if isinstance(value, dict) or isinstance(value[place[-1]] if isinstance(value, list) else None, dict):
                changed = with_keys(text, place, {"mark": "seen", "source": "a: b", "unverified": []})
                assert len(changed.splitlines()) >= len(text.splitlines()) - 6
