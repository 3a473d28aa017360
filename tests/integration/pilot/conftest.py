"""What the tests of workers share."""

import pytest

from here import Here


@pytest.fixture
def here(tmp_path):
    made = []

    def make(cores: int = 1, **options) -> Here:
        made.append(Here(tmp_path, cores, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
