"""Numbers that YAML 1.1 reads as others than they look stay as they are spelt."""

import pytest
import yaml

from deeprc.core.errors import ConfigError
from deeprc.core.validation import read_yaml
from deeprc.sites import load_site
from samples.sites import PLAIN


@pytest.mark.parametrize(
    ("text", "value"),
    [("072", "072"), ("-010", "-010"), ("00", "00"), ("1:12", "1:12"), ("12:30:45", "12:30:45"), ("1:30.5", "1:30.5"),
     ("72", 72), ("0", 0), ("-3", -3), ("0x1f", 31), ("010.5", 10.5), ("1.5", 1.5), ("090", "090"), ("1_000", 1000)],
)  # fmt: skip
def test_a_number_is_what_it_looks_like_or_text(tmp_path, text, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"key: {text}\n")
    found = read_yaml(path, spelt=True)["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("cores", ["072", "1:12"])
def test_cores_in_base_8_or_60_are_refused(tmp_path, cores):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(PLAIN).replace("cores: 2", f"cores: {cores}"))
    with pytest.raises(ConfigError) as raised:
        load_site(path)
    assert str(raised.value).splitlines() == [
        f"{path}: key 'partitions.0.cores': Input should be a valid integer",
        f"  found: '{cores}'",
        "  fix: write it without a zero in front or a colon: some readers of YAML take it for another number",
    ]
