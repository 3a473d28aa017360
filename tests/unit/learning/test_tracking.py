"""MLflow told of a training: refused where it is not installed; where it is, told of each point once."""

import importlib.util
import json

import pytest

from deeprc.core.errors import ConfigError
from deeprc.learning import tracking
from deeprc.learning.config import How, TorchTraining
from deeprc.learning.curve import Curve
from deeprc.learning.tracking import Tracking

mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="no MLflow: pip install 'deeprc[mlflow]'"
)


def test_without_mlflow_a_training_that_is_to_tell_it_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert json.loads(TorchTraining().how())["mlflow"] is None
    with pytest.raises(ConfigError, match="MLflow is to be told of losses, and is not installed"):
        Tracking("http://x", tmp_path, name="a", of="b")
    with pytest.raises(ConfigError, match="the URI of MLflow holds a password"):  # it is to be mended in any case
        Tracking("http://me:hidden@x", tmp_path, name="a", of="b")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert json.loads(TorchTraining(mlflow="none").how())["mlflow"] is None


def test_the_environment_names_an_mlflow_and_the_key_another_one(monkeypatch):
    monkeypatch.setattr(tracking, "refuse_absent", lambda: None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert How.model_validate_json(TorchTraining().how()).mlflow == "http://127.0.0.1:5000"
    assert How.model_validate_json(TorchTraining(mlflow="file:/a").how()).mlflow == "file:/a"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hidden@127.0.0.1:5000/x")
    with pytest.raises(ConfigError, match="the URI of MLflow holds a password") as caught:
        TorchTraining().how()
    assert "hidden" not in str(caught.value)


@mlflow
def test_mlflow_knows_each_point_once_also_of_a_training_that_went_on(tmp_path, monkeypatch):
    """Read back by MLflow's own client, from a folder, which needs no server."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setattr(tracking, "HASTE", tracking.PATIENCE)  # MLflow is imported first, which takes long
    uri, said = (tmp_path / "mlruns").as_uri(), []

    def start(of: str = "data") -> Curve:
        told = Tracking(uri, tmp_path / "c", name="GRU", of=of, say=said.append)
        return Curve(tmp_path / "c", 4, writes=True, tracking=told)

    def runs() -> list:
        client = tracking._client(uri)
        (experiment,) = client.search_experiments(filter_string="name = 'deeprc'")
        found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
        return [(run.info.run_name, run.info.status, history(client, run.info.run_id)) for run in found]

    def history(client, run: str) -> dict:
        names = client.get_run(run).data.metrics
        return {name: sorted((m.step, m.value) for m in client.get_metric_history(run, name)) for name in names}

    curve = start()
    for step in (1, 2, 3):
        curve.add(step, training_loss=1 / step, **({"validation_loss": 0.5} if step == 2 else {}))
        saved = curve.state() | {"points": curve.points[:2]}
    curve.close("KILLED")  # after MLflow was told of step 3
    assert [status for _, status, _ in runs()] == ["KILLED"]
    again = start()
    again.load(saved)
    again.add(3, training_loss=1 / 3)
    again.add(4, training_loss=0.25, validation_loss=0.4)
    again.close()
    whole = {"training_loss": [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)], "validation_loss": [(2, 0.5), (4, 0.4)]}
    assert runs() == [("GRU", "FINISHED", whole)] and said == []
    other = start("other data")
    other.add(1, training_loss=9.0)
    other.close()
    assert runs() == [("GRU", "FINISHED", whole), ("GRU", "FINISHED", {"training_loss": [(1, 9.0)]})]
    for _ in range(2):  # one that diverges, and diverges when it is tried again
        diverges = start("a high rate")
        diverges.add(1, training_loss=99.0)
        diverges.close("FAILED")
    assert runs()[2:] == [("GRU", "FAILED", {"training_loss": [(1, 99.0)]})] * 2


@mlflow
def test_a_training_goes_on_where_no_mlflow_answers_and_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = []
    told = Tracking("http://127.0.0.1:9", tmp_path, name="GRU", of="data", say=said.append)
    curve = Curve(tmp_path, 3, writes=True, tracking=told)
    for step in (1, 2, 3):
        curve.add(step, training_loss=1.0)
    curve.close()
    assert len(said) == 2 and said[0].startswith("note: MLflow does not take the losses of GRU (")
    assert said[1] == f"note: MLflow lacks 3 points of GRU, which are in {tmp_path}"
    assert len((tmp_path / "curve.jsonl").read_text().splitlines()) == 3
