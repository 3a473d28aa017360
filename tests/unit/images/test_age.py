"""How old an image is said to be, and by whose word."""

from __future__ import annotations

import time

import pytest

from deeprc.images import age, sif


@pytest.mark.parametrize(
    ("days", "told"),
    [(0, "built today, as its head says"), (12, "built 12 days ago, as its head says"),
     (-3, "of unknown age: its head names a day to come")],
)  # fmt: skip
def test_the_head_of_a_file_says_its_age_and_that_it_is_the_heads_word(tmp_path, days, told):
    head = bytes(sif.AT_CREATED) + sif.CREATED.pack(int(time.time()) - days * 24 * 3600)
    (path := tmp_path / "x.sif").write_bytes(head)
    assert age.told(path) == told
