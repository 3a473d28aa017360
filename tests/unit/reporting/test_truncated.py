import pytest

from deeprc.applications.hydrology.report import read
from deeprc.core.errors import InputError
from deeprc.core.files import write_json


def test_predictions_that_were_cut_off_are_named(tmp_path):
    write_json(tmp_path / "metrics.json", {"basins": {}, "dataset": "x"})
    (tmp_path / "predictions.arrow").write_bytes(b"ARROW1" + bytes(100))
    with pytest.raises(InputError, match="not a whole Arrow file") as caught:
        read(tmp_path)
    assert caught.value.where == tmp_path / "predictions.arrow"
