import zipfile

import pytest

from deeprc.core import datasets
from deeprc.core.errors import ConfigError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_unknown_data_set_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="unknown data set 'fulad'") as error:
        datasets.fetch("fulad", tmp_path / "x.csv")
    assert error.value.fix == "did you mean 'fulda'?"


def test_data_are_fetched_checked_and_cached(tmp_path, cache, monkeypatch):
    datasets.fetch("fulda", tmp_path / "fulda.csv")
    assert datasets.sha256(tmp_path / "fulda.csv") == datasets.DATASETS["fulda"].sha256
    assert [p.name for p in cache.iterdir()] == [datasets.SPOTPY.filename]
    # From the same wheel, and now without a network: pip is told that there is no index.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    datasets.fetch("leaf-river", tmp_path / "leaf.csv")
    assert (tmp_path / "leaf.csv").read_text().startswith("Date;rainfall[mm];TURC")


def test_no_network_says_what_to_do(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(datasets.FetchError, match=r"cannot download spotpy 1\.6\.7") as error:
        datasets.fetch("fulda", tmp_path / "fulda.csv")
    assert str(cache) in error.value.fix
    assert not (tmp_path / "fulda.csv").exists()


def test_a_wheel_with_another_checksum_is_refused(tmp_path, cache, monkeypatch):
    """pip is pointed at a folder with a wheel of the right name and the wrong content."""
    with zipfile.ZipFile(tmp_path / datasets.SPOTPY.filename, "w") as archive:
        info = "spotpy-1.6.7.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: spotpy\nVersion: 1.6.7\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(datasets.FetchError, match="not the file that was pinned"):
        datasets.fetch("fulda", tmp_path / "fulda.csv")
    assert not cache.exists()
    assert not (tmp_path / "fulda.csv").exists()


def test_a_broken_file_in_the_cache_is_fetched_again(tmp_path, cache):
    cache.mkdir()
    (cache / datasets.SPOTPY.filename).write_text("half a download")
    datasets.fetch("fulda", tmp_path / "fulda.csv")
    assert datasets.sha256(cache / datasets.SPOTPY.filename) == datasets.SPOTPY.sha256
