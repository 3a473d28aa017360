"""MLflow: a run of it for each training, told of each point once, from a thread that no training waits for."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deeprc.core.errors import ConfigError
from deeprc.core.files import read_json, write_json

FILE = "mlflow.json"  # which run of MLflow a curve is told to
EXPERIMENT = "deeprc"  # unless the environment names another one
PATIENCE = 30.0  # seconds that the end of a training waits for MLflow
HASTE = 5.0  # where it is asked to end, or fails: who asks kills soon
ONCE = 500  # metrics in a message: MLflow takes 1,000


def refuse_absent() -> None:
    """Raise ConfigError where MLflow is not installed."""
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError(
            "MLflow is to be told of losses, and is not installed",
            found="no module mlflow",
            fix="pip install 'deeprc[mlflow]'; or give the key 'training.mlflow' none, if it is MLFLOW_TRACKING_URI's",
        )


def refuse_secret(uri: str) -> None:
    """Raise ConfigError where a URI holds a password, which the records of a run would tell."""
    if urlsplit(uri).password is not None:
        raise ConfigError(
            "the URI of MLflow holds a password",
            found=urlsplit(uri)._replace(netloc="…").geturl(),
            fix="leave it out: MLflow reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )


class Tracking:
    """One training in MLflow.

    Parameters
    ----------
    uri
        Where MLflow is: of a server, or of a folder or database.
    folder
        Of the curve; it keeps which run this is.
    name, of
        What the run is called, and what tells this training from others of the same name.
    say
        Prints a line.

    Raises
    ------
    ConfigError
        Where the URI holds a password, or MLflow is not installed.
    """

    def __init__(self, uri: str, folder: Path, *, name: str, of: str, say: Callable[[str], None] = print) -> None:
        refuse_secret(uri)
        refuse_absent()
        self.uri, self.folder, self.name, self.of, self.say = uri, folder, name, of, say
        self._points: queue.Queue[tuple[int, float, dict[str, float]] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._missing, self._told, self._status = 0, False, "FINISHED"

    def begin(self, *, fresh: bool) -> None:
        """Go on with this training's run, or begin one.

        Parameters
        ----------
        fresh
            Whether the training begins with its first step: a run that had ended by itself is then another one.
        """
        self._thread = threading.Thread(target=self._work, args=(fresh,), daemon=True)
        self._thread.start()

    def add(self, step: int, time: float, values: Mapping[str, float]) -> None:
        """Tell of a step, of which MLflow may know already."""
        self._missing += 1
        self._points.put((step, time, dict(values)))

    def close(self, status: str = "FINISHED") -> None:
        """The training has ended, in MLflow's words so: wait until it knows all of it, but not for ever."""
        if self._thread is None:
            return
        self._status = status
        self._points.put(None)
        self._thread.join(PATIENCE if status == "FINISHED" else HASTE)
        if self._thread.is_alive() or self._missing:
            self.say(f"note: MLflow lacks {self._missing} points of {self.name}, which are in {self.folder}")

    def _work(self, fresh: bool) -> None:
        waiting: list[tuple[int, float, dict[str, float]]] = []
        client = run = None
        known: dict[str, int] = {}
        ended = False
        while not ended or waiting:
            if not ended:
                waiting += self._next()
                ended = bool(waiting) and waiting[-1] is None
                waiting = waiting[:-1] if ended else waiting
            try:
                if client is None:
                    client = _client(self.uri)
                    run, known = self._run(client, fresh)
                self._send(client, run, waiting, known)
                self._missing -= len(waiting)
                waiting = []
            except Exception as error:  # whatever is wrong with a server: the training goes on
                if not self._told:
                    self.say(
                        f"note: MLflow does not take the losses of {self.name} ({_line(error)}); it is asked again"
                    )
                self._told, client = True, None  # what it has taken of that is found out anew
                if ended:
                    return
        try:
            if client is not None:
                client.set_terminated(run, self._status)
        except Exception as error:
            self.say(f"note: MLflow was not told that {self.name} has ended ({_line(error)})")

    def _next(self) -> list[tuple[int, float, dict[str, float]] | None]:
        """What there is to tell, at least one."""
        found = [self._points.get()]
        while found[-1] is not None and not self._points.empty():
            found.append(self._points.get())
        return found

    def _run(self, client: Any, fresh: bool) -> tuple[str, dict[str, int]]:
        """This training's run, and of each value the last step that MLflow knows."""
        path = self.folder / FILE
        kept = read_json(path) if path.is_file() else {}
        if (kept.get("uri"), kept.get("of")) == (self.uri, self.of):
            status = client.get_run(kept["run"]).info.status
            if not (fresh and status in ("FINISHED", "FAILED")):
                if status != "RUNNING":
                    client.update_run(kept["run"], status="RUNNING")
                return kept["run"], _last(client, kept["run"])
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        run = client.create_run(experiment, run_name=self.name, start_time=int(time.time() * 1000)).info.run_id
        write_json(path, {"uri": self.uri, "of": self.of, "run": run})
        return run, {}

    def _send(self, client: Any, run: str, points: list[tuple[int, float, dict[str, float]]], known: dict) -> None:
        """Tell of what is not known yet."""
        from mlflow.entities import Metric

        values = ((name, value, at, step) for step, at, of in points for name, value in of.items())
        new = [
            Metric(name, value, int(at * 1000), step) for name, value, at, step in values if step > known.get(name, -1)
        ]
        for first in range(0, len(new), ONCE):
            client.log_batch(run, metrics=new[first : first + ONCE])
        known.update((metric.key, metric.step) for metric in new)


def _client(uri: str) -> Any:
    for name, value in (("MAX_RETRIES", "2"), ("TIMEOUT", "20")):  # else it is minutes until a server counts as gone
        os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _last(client: Any, run: str) -> dict[str, int]:
    """Of each value of a run its last step."""
    names = client.get_run(run).data.metrics
    return {name: max(one.step for one in client.get_metric_history(run, name)) for name in names}


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def digest(facts: Mapping[str, Any]) -> str:
    """What tells a training from others."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:20]
