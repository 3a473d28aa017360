"""The networks and the training loop, in TensorFlow, at tiny sizes."""

import itertools
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from deeprc.applications.hydrology.config import VARIANTS, TrainConfig
from deeprc.applications.hydrology.metrics import nse
from deeprc.applications.hydrology.samples import make_samples
from deeprc.core.errors import ConfigError
from deeprc.learning.finite import NotFiniteError
from deeprc.learning.mapped import mapped
from samples.mappings import mapped_file

sys.path.append(str(Path(__file__).parent))  # last: it must not hide our conftest
from reservoirs import reservoirs as two_reservoirs
from reservoirs import trained


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    from deeprc.learning.tensorflow.backend import start

    start(threads=1, seed=1)


@pytest.fixture(scope="module")
def reservoirs():
    return two_reservoirs()


def test_a_device_and_a_precision_that_are_not_here_are_refused_by_name():
    from deeprc.learning.tensorflow.backend import start, tf

    with pytest.raises(ConfigError, match=f"the device cuda is not here\n  found: TensorFlow {tf.__version__}, which"):
        start(threads=1, seed=1, device="cuda")
    with pytest.raises(ConfigError, match="precision tf32 cannot be had here\n  found: the processor alone"):
        start(threads=1, seed=1, device="auto", precision="tf32")


def test_the_first_gpu_that_a_rank_sees_is_its_own_and_takes_memory_as_it_needs_it(monkeypatch):
    """There is none here: what TensorFlow is asked is recorded, and what it says of GPUs made up."""
    from deeprc.learning.tensorflow import backend

    config, done = backend.tf.config, []
    about = {"device_name": "NVIDIA A100", "compute_capability": (8, 0)}
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(config, "set_visible_devices", lambda those, kind: done.append((kind, those)))
    monkeypatch.setattr(config.experimental, "get_device_details", lambda one: about)
    monkeypatch.setattr(config.experimental, "set_memory_growth", lambda one, grows: done.append((one, grows)))
    monkeypatch.setattr(
        config.experimental, "enable_tensor_float_32_execution", lambda allowed: done.append(("tf32", allowed))
    )
    assert backend.start(threads=1, seed=1, device="auto", precision="tf32") == "cuda (NVIDIA A100)"
    assert done == [("GPU", ["GPU:0"]), ("GPU:0", True), ("tf32", True)]
    del done[:]
    assert backend.start(threads=1, seed=1, device="cuda") == "cuda (NVIDIA A100)"
    assert done[-1] == ("tf32", False)  # TensorFlow's own choice is True
    del done[:]
    assert backend.start(threads=1, seed=1, device="cpu") == "cpu"
    assert done == [("GPU", []), ("tf32", False)]
    about["compute_capability"] = (7, 0)
    with pytest.raises(ConfigError, match="precision tf32 cannot be had here\n  found: NVIDIA A100"):
        backend.start(threads=1, seed=1, precision="tf32", device="auto")


def test_the_lstm_learns_a_reservoir(reservoirs):
    samples, _, fitted, sim, _ = trained(
        reservoirs, ["brook"], units=12, epochs=40, batch_size=32, learning_rate=0.02, dropout=0.0
    )
    test = (samples.frame["split"] == "test").to_numpy()[samples.ends]
    assert nse(samples.obs[samples.ends][test], sim[test]) > 0.9
    assert fitted.losses[fitted.best]["val"] == min(losses["val"] for losses in fitted.losses)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(reservoirs):
    options = {"units": 4, "epochs": 2, "batch_size": 64}
    (_, _, one, sim, _), (_, _, two, again, _), (*_, other, _) = (
        trained(reservoirs, ["brook", "river"], seed=seed, **options) for seed in (1, 1, 2)
    )
    assert one.losses == two.losses
    np.testing.assert_array_equal(sim, again)
    assert np.abs(sim - other).max() > 0


def test_training_stops_when_validation_gets_no_better(reservoirs):
    _, _, fitted, *_ = trained(reservoirs, ["brook"], units=2, epochs=50, learning_rate=1e-9, dropout=0.0, patience=3)
    assert len(fitted.losses) < 50
    assert len(fitted.losses) == fitted.best + 1 + 3


@pytest.mark.parametrize("variant", ["small", "paper"])
def test_training_stops_at_the_first_loss_that_is_not_finite(reservoirs, variant):
    with pytest.raises(NotFiniteError) as caught:
        trained(reservoirs, ["brook"], variant=variant, units=2, epochs=3, batch_size=64, learning_rate=1e30)
    usual = VARIANTS[variant]["learning_rate"]
    assert caught.value.problem.startswith(f"the training of {variant} has diverged: its ")
    assert re.fullmatch(r"(nan|inf) at epoch 1 of 3(, step \d of 6)?, learning rate 1e\+30", caught.value.found)
    assert caught.value.fix == f"lower the key 'learning_rate' of this model, for instance to {usual:g}"


def test_the_nse_loss_weighs_basins_by_their_own_spread(reservoirs):
    from deeprc.applications.hydrology.fit import weights

    samples, _ = make_samples(reservoirs, ["brook", "river"])
    train = samples.of("train")
    brook, river = (samples.obs[train[samples.code[train] == code]].std() for code in (0, 1))
    found = weights(samples, samples.obs, train, "nse")
    np.testing.assert_allclose(found[samples.code == 0], 1 / (brook + 0.1) ** 2, rtol=1e-6)
    np.testing.assert_allclose(found[samples.code == 1], 1 / (river + 0.1) ** 2, rtol=1e-6)
    assert set(weights(samples, samples.obs, train, "mse")) == {1.0}


def test_the_published_network():
    """Dense 320, two LSTMs of 320, Dense 320 with selu, dropout and recurrent dropout 0.2."""
    from deeprc.applications.hydrology.network import build

    defaults = {key: value for key, value in VARIANTS["paper"].items() if key != "window"}
    model = build(TrainConfig(variant="paper", **defaults), window=21, width=34)
    dense, first, second, last, out = model.layers[1:]
    assert [layer.units for layer in model.layers[1:]] == [320, 320, 320, 320, 1]
    assert all(layer.activation.__name__ == "selu" for layer in (dense, first, second, last))
    assert all((layer.dropout, layer.recurrent_dropout) == (0.2, 0.2) for layer in (first, second))
    lstm = 4 * 320 * (320 + 320 + 1)
    assert model.count_params() == (34 * 320 + 320) + 2 * lstm + (320 * 320 + 320) + (320 + 1)
    assert out.units == 1


def test_the_published_network_trains(reservoirs):
    _, _, fitted, sim, _ = trained(
        reservoirs, ["brook", "river"], variant="paper", units=6, epochs=3, learning_rate=0.01
    )
    assert fitted.losses[-1]["train"] < fitted.losses[0]["train"]
    assert np.isfinite(sim).all()
    assert (sim >= 0).all()


def test_the_entity_aware_network_is_that_of_its_equations():
    """Kratzert et al. 2019, eq. 7-12, written down in numpy."""
    from deeprc.applications.hydrology.network import build

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    units, static = 3, 2
    model = build(TrainConfig(variant="entity-aware", units=units), window=5, width=4 + static, static=static)
    rng = np.random.default_rng(1)
    windows = rng.normal(size=(7, 5, 4 + static)).astype(np.float32)
    windows[:, :, -static:] = windows[:, :1, -static:]
    by_name = {one.path.split("/", 1)[0] + "/" + one.name: one.numpy() for one in model.trainable_variables}
    w_i, b_i = by_name["input_gate/kernel"], by_name["input_gate/bias"]
    w, b = by_name["weather/kernel"], by_name["weather/bias"]
    np.testing.assert_array_equal(b, [5] * units + [0] * 2 * units)
    (u,) = [value for name, value in by_name.items() if name.endswith("/recurrent")]
    dense, bias = model.layers[-1].get_weights()
    i = sigmoid(windows[:, 0, -static:] @ w_i + b_i)
    h = c = np.zeros((7, units))
    for day in range(5):
        f, g, o = np.split(windows[:, day, :-static] @ w + b + h @ u, 3, axis=1)
        c = sigmoid(f) * c + i * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(model(windows), h @ dense + bias, rtol=1e-4, atol=1e-6)


def test_an_entity_aware_network_of_one_basin_is_refused(reservoirs):
    with pytest.raises(ConfigError, match="an entity-aware network is for several basins"):
        trained(reservoirs, ["brook"], variant="entity-aware", units=2, epochs=1)


def test_the_quick_network_is_one_that_cudnn_runs():
    """The conditions of keras.layers.LSTM for the cuDNN kernel (keras.io/api/layers/recurrent_layers/lstm)."""
    from deeprc.applications.hydrology.network import build

    lstm = build(TrainConfig(), window=5, width=3).layers[1]
    assert (lstm.activation.__name__, lstm.recurrent_activation.__name__) == ("tanh", "sigmoid")
    assert (lstm.recurrent_dropout, lstm.dropout, lstm.unroll, lstm.use_bias) == (0, 0.0, False, True)


def test_two_ranks_learn_as_one_and_one_goes_on_where_two_were_asked_to_end(mpirun, tmp_path):
    done = mpirun(2, [Path(__file__).with_name("on_ranks.py"), tmp_path], timeout=550)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all is equal" in done.stdout


@pytest.mark.parametrize("cuts", [(), (100, 101, 700)])
def test_what_a_network_learns_of_is_cut_out_of_the_mapped_files(reservoirs, tmp_path, cuts):
    """By a graph, which sees what is written to the mapped memory: it has no copy."""
    from deeprc.applications.hydrology.fit import DischargeProblem
    from deeprc.applications.hydrology.network import build
    from deeprc.learning.sampler import Sampler
    from deeprc.learning.tensorflow.ahead import Ahead
    from deeprc.learning.tensorflow.backend import tf
    from deeprc.learning.tensorflow.mapped import WindowCut

    table = reservoirs.frame.to_arrow()
    for part, (begin, end) in enumerate(itertools.pairwise((0, *cuts, len(table)))):
        with pa.ipc.new_file(tmp_path / f"part-{part:05d}.arrow", table.schema) as file:
            file.write_table(table[begin:end].combine_chunks())
    rows = mapped(tmp_path, gaps=True)
    files = [mapped_file(piece.values) for piece in rows.pieces("prcp")]
    assert files == sorted(tmp_path.glob("part-*.arrow")) and len(files) == len(cuts) + 1
    samples, _ = make_samples(replace(reservoirs, mapped=rows), ["brook", "river"])
    network = build(TrainConfig(units=2), samples.window, samples.width, samples.static.shape[1])
    problem = DischargeProblem(network, samples, "nse")

    def read() -> np.ndarray:
        _, parts = Ahead(problem.inputs, Sampler(len(problem.ends), seed=1), 200, 2, range(2)).take()
        return np.concatenate([windows for _, (windows, *_) in parts])

    ends = problem.ends[Sampler(len(problem.ends), seed=1).take(200).samples]
    windows = read()
    np.testing.assert_array_equal(windows, samples.windows(ends))
    (lent,) = WindowCut(rows, ["prcp"], samples.window).columns
    memory = [torch.from_dlpack(tf.experimental.dlpack.to_dlpack(tensor))[skipped:] for tensor, skipped in lent]
    assert [one.data_ptr() for one in memory] == [piece.values.ctypes.data for piece in rows.pieces("prcp")]
    memory[0].mul_(2)
    changed = read()
    assert not np.array_equal(changed, windows)
    np.testing.assert_array_equal(changed, samples.windows(ends))


@pytest.mark.parametrize(("numbers", "graphs"), [(1 << 20, 1), (40, 3), (4, 9)])
def test_epochs_share_a_graph_of_inputs_and_what_is_loaded_begins_another(monkeypatch, numbers, graphs):
    """Traced for each epoch, it took a fifth of the demo's training. Of large batches one epoch is enough at once."""
    from deeprc.learning.sampler import Sampler
    from deeprc.learning.tensorflow import ahead as module
    from deeprc.learning.tensorflow.ahead import Ahead

    monkeypatch.setattr(module, "NUMBERS", numbers)

    traced = []

    def inputs(samples):
        traced.append(samples)
        return (samples * 2,)

    sampler, told = Sampler(10, seed=1), Sampler(10, seed=1)
    ahead = Ahead(inputs, sampler, 4, 2, range(2))

    def check(steps: int) -> None:
        for _ in range(steps):
            batch, parts = ahead.take()
            expected = told.take(4)
            np.testing.assert_array_equal(batch.samples, expected.samples)
            np.testing.assert_array_equal(batch.epoch, expected.epoch)
            for here, (doubled,) in parts:
                np.testing.assert_array_equal(doubled, 2 * expected.samples[here])

    check(25)
    assert sampler.epoch == 10 and len(traced) == graphs
    for each in (sampler, told):
        each.load({"seed": 1, "samples": 10, "epoch": 3, "position": 6})
    check(5)
    assert len(traced) > graphs


def test_a_frame_lends_tensorflow_what_begins_at_64_bytes_and_copies_the_rest():
    """TensorFlow computes with nothing else: it would end the process."""
    from deeprc.frames import Communicator, Frame
    from deeprc.learning.tensorflow.backend import tf

    memory = np.zeros(2000)
    first = -memory.ctypes.data % 64 // 8
    for skipped in (0, 1):
        values = memory[first + skipped :][:1000]
        values[:] = np.arange(1000)
        table = pa.table([pa.Array.from_buffers(pa.float64(), 1000, [None, pa.py_buffer(values)])], names=["x"])
        tensor = Frame.from_arrow(table, Communicator.world()).to_tensorflow(["x"])["x"]
        assert float(tf.reduce_sum(tf.tanh(tensor) * 0 + tensor)) == 499_500
        lent = torch.from_dlpack(tf.experimental.dlpack.to_dlpack(tensor)).data_ptr() == values.ctypes.data
        assert lent is (skipped == 0)
