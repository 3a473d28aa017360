"""`prepare` on real MPI ranks: the same content for every number of ranks, and nothing of the future in the past."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deeprc.applications.base.prepared import read_frame
from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import read
from deeprc.applications.forecasting.network import Windows
from deeprc.applications.forecasting.series import load
from deeprc.core.errors import InputError
from deeprc.core.files import read_json
from deeprc.learning import origin
from deeprc.learning.origin import Origin
from samples.mappings import mapped_file
from samples.prepared import content, spoil
from samples.series import CONFIG, write_series

# What `prepare` makes of the slice; the same since it rounds the split and tells which rows are interpolated.
CONTENT = {"monthly.arrow": "9293232efe3ed8e5", "series.arrow": "2aee27dfb4583c3b", "meta.json": "452df96ff4b576c0"}


def without_lines(folder: Path) -> dict[str, str]:
    """The content, but for the lines of the file that it was read from."""
    return {name: told for name, told in content(folder).items() if name != origin.LINES}


@pytest.mark.parametrize("ranks", [1, 4])
def test_the_number_of_ranks_does_not_show(prepare, prepared, slice_of_beijing, ranks):
    other = prepare(slice_of_beijing, ranks=ranks)
    for name in ("series.arrow", "monthly.arrow"):
        assert read_frame(other, name).combine_chunks() == read_frame(prepared, name).combine_chunks()
    assert read_json(other / "meta.json") == read_json(prepared / "meta.json")
    assert len(list((other / "series.arrow").glob("part-*.arrow"))) == ranks
    assert content(other) == content(prepared)
    assert without_lines(prepared) == CONTENT


def test_of_a_wide_parquet_file_each_rank_reads_its_columns_and_nobody_the_rest(prepare, slice_of_beijing, tmp_path):
    """The rest may as well be broken; what comes of it is what comes of the text."""
    path = tmp_path / "wide.parquet"
    table = pl.read_csv(slice_of_beijing, null_values="NA", infer_schema_length=None)
    table.with_columns(pl.lit(0.5).alias("rest")).write_parquet(path, compression="uncompressed")
    spoil(path, "rest")
    folder = prepare(path)
    assert without_lines(folder) == CONTENT
    assert Origin.read(folder).line.tolist() == list(range(1, 2881))  # rows, without a header


def test_a_part_that_is_missing_or_damaged_is_named(prepared, tmp_path):
    """Without this, windows would be cut from the rows that are left: other hours, and no word."""
    copied = Path(shutil.copytree(prepared, tmp_path / "prepared"))
    part = copied / "series.arrow" / "part-00000.arrow"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(InputError, match="changed after it was written") as caught:
        load(copied)
    assert caught.value.where == part
    part.unlink()
    with pytest.raises(InputError, match="this part is missing") as caught:
        load(copied)
    assert caught.value.where == part


def test_content_is_that_of_the_file(prepared, slice_of_beijing):
    raw, series = read(slice_of_beijing, DataConfig()).frame, load(prepared)
    lines = Origin.read(prepared)
    assert (lines.row + 2).tolist() == lines.line.tolist() == list(range(2, 2882))  # below the header
    assert np.array_equal(series.ds, raw["time"].to_numpy())
    assert np.array_equal(series.observed, raw["y"].is_not_null().to_numpy())
    assert np.array_equal(series.y_raw[series.observed], raw["y"].drop_nulls().to_numpy())
    ((mean, deviation),) = series.scale
    back = series.y[series.observed] * deviation + mean
    assert np.allclose(back, raw["y"].drop_nulls().to_numpy(), atol=1e-3)
    assert np.isfinite(series.y).all()
    for name in series.meta["history"]:
        assert np.isfinite(series.rows.column(name)).all()
    assert (series.observed <= series.usable).all()
    assert series.usable.sum() > series.observed.sum()  # short gaps were interpolated


def test_what_models_learn_of_lies_in_the_mapped_files(prepared):
    """No copy is made of it, and windows over the border of two parts are those of the whole table."""
    series = load(prepared)
    files = sorted((prepared / "series.arrow").glob("part-*.arrow"))
    origins, table = series.origins("train"), read_frame(prepared, "series.arrow")
    origins = origins[series.observed[origins - 1]]  # others see less of the gap than is there
    windows = Windows(series, origins)
    for name in ("y", "usable", *series.meta["history"], *series.meta["future"]):
        pieces = series.rows.pieces(name)
        assert [mapped_file(piece.values) for piece in pieces] == files
    assert len(files) == 2
    for part, columns in (("past", ["y"]), ("history", series.meta["history"])):
        whole = np.stack([table[name].to_numpy() for name in columns], axis=1)
        expected = np.stack([whole[origin - 36 : origin] for origin in origins])
        assert np.array_equal(windows[part].numpy().reshape(expected.shape), expected)
    mask = np.stack([table["usable"].to_numpy()[origin : origin + 12] for origin in origins])
    assert np.array_equal(windows["mask"], mask)


def test_scale_is_of_the_training_part_only(prepared):
    series = load(prepared)
    cut = series.bounds[0, 1]
    assert np.mean(series.y[:cut], dtype=np.float64) == pytest.approx(0, abs=1e-5)
    assert np.std(series.y[:cut], dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert abs(np.mean(series.y, dtype=np.float64)) > 1e-3  # 0 had the rest been in it, too


def test_statistics_of_each_month(prepared, slice_of_beijing):
    raw = read(slice_of_beijing, DataConfig()).frame.with_columns(pl.col("time").dt.truncate("1mo").alias("month"))
    expected = raw.group_by("month").agg(
        pl.col("y").count().alias("count"),
        pl.col("y").mean().alias("mean"),
        pl.col("y").min().alias("min"),
        pl.col("y").max().alias("max"),
    )
    monthly = pl.from_arrow(read_frame(prepared, "monthly.arrow"))
    found = monthly.select("month", *(pl.col(f"y_raw_{name}").alias(name) for name in ("count", "mean", "min", "max")))
    assert_frame_equal(found, expected.sort("month"), check_dtypes=False)


def test_several_series_of_their_own_starts_and_lengths(prepare, tmp_path):
    """Each is prepared as if it were the only one, on any number of ranks; of each row it is known where it stood."""
    series_file = write_series(tmp_path / "several.csv")
    lines = series_file.read_text().splitlines(keepends=True)
    series_file.write_text("".join([*lines, lines[5], lines[1]]))  # two rows stand twice
    folders = [prepare(series_file, CONFIG, ranks) for ranks in (1, 2, 3)]
    one, *others = [read_frame(folder, "series.arrow").combine_chunks() for folder in folders]
    assert all(one == other for other in others)
    assert len({(folder / "meta.json").read_bytes() for folder in folders}) == 1
    together = load(folders[1])
    assert together.ids == ["B", "a", "ç"]
    assert together.meta["step"] == "1 month"
    assert together.meta["history"] == ["x:row", "x:usable"]  # users' columns, whatever they are called
    assert together.meta["future"] == ["month_sin", "month_cos"]
    for folder in folders:
        known = Origin.read(folder)
        for row, line in zip(known.row, known.line, strict=True):
            name, time = lines[line - 1].split(",")[:2]
            assert (name, np.datetime64(time)) == (together.ids[together.number(row)], together.ds[row])
        assert sorted(known.line) == list(range(2, len(lines) + 1))  # neither of gaps nor of repeated rows
    raw = pl.read_csv(series_file, try_parse_dates=True).unique(maintain_order=True)
    for number, name in enumerate(together.ids):
        begin, val, _, end = together.bounds[number]
        mine = raw.filter(unique_id=name)
        known = mine.sort("ds").drop_nulls("y")["y"].to_numpy()
        assert np.array_equal(together.y_raw[begin:end][together.observed[begin:end]], known)
        assert np.mean(together.y[begin:val], dtype=np.float64) == pytest.approx(0, abs=1e-5)
        assert np.std(together.y[begin:val], dtype=np.float64) == pytest.approx(1, abs=1e-5)
        own = series_file.with_name(f"{number}.csv")
        mine.write_csv(own, datetime_format="%Y-%m-%d %H:%M:%S")
        alone = load(prepare(own, CONFIG, 1))
        for field in ("y", "usable", "observed", "ds"):
            assert np.array_equal(getattr(alone, field), getattr(together, field)[begin:end])
        for column in (*alone.meta["history"], *alone.meta["future"]):
            assert np.array_equal(alone.rows.column(column), together.rows.column(column)[begin:end])
        unknown = set(together.meta["history"]) - set(alone.meta["history"])
        assert unknown == ({"x:row"} if name == "ç" else set())  # it has no value of "row", which is 0 there
        assert not any(together.rows.column(column)[begin:end].any() for column in unknown)
        for part in ("train", "val", "test"):
            ours = together.origins(part, stride=6)
            assert np.array_equal(alone.origins(part, stride=6), ours[together.number(ours) == number] - begin)


def test_etth1(prepare, shared_data):
    config = DataConfig(dataset="ett")
    folder = prepare(shared_data / "ett" / "ETTh1.csv", config)
    series = load(folder)
    assert np.array_equal(Origin.read(folder).line, np.arange(2, 17_422))
    assert series.meta["rows"] == 17_420
    assert series.rows.windows(series.meta["history"], np.array([0]), 17_420).shape == (1, 17_420, 6)
    assert series.observed.all()


def test_an_error_ends_all_ranks_at_once_and_leaves_the_old_folder(mpirun, tmp_path, slice_of_beijing):
    bad = tmp_path / "bad.csv"
    bad.write_text(slice_of_beijing.read_text().replace("2010,1,3,5,", "2010,1,33,5,", 1))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "earlier").touch()
    arguments = ["--data", bad, "--config", "{}", "--out", tmp_path / "out"]
    done = mpirun(2, ["-m", "deeprc.applications.forecasting.prepare", *arguments], timeout=60)
    assert done.returncode != 0
    assert "not a date" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "bad.csv"] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["earlier"]
