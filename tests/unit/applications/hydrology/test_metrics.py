import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.hydrology.evaluate import about_network
from deeprc.applications.hydrology.metrics import bias, kge, nse, rmse, skill

OBS = np.array([1.0, 2.0, 3.0, 6.0])  # mean 3, squares about it 4 + 1 + 0 + 9 = 14, variance 3.5
SIM = np.array([2.0, 2.0, 4.0, 4.0])  # mean 3, variance 1; products about the means 2 + 1 + 0 + 3 = 6


def test_nse_by_hand():
    assert nse(OBS, SIM) == pytest.approx(1 - (1 + 0 + 1 + 4) / 14)


def test_kge_by_hand():
    r = (6 / 4) / np.sqrt(3.5 * 1.0)
    alpha = 1 / np.sqrt(3.5)
    assert kge(OBS, SIM) == pytest.approx(1 - np.sqrt((r - 1) ** 2 + (alpha - 1) ** 2))


def test_kge_sees_a_bias():
    assert kge(OBS, OBS * 2) == pytest.approx(1 - np.sqrt(1 + 1))  # r = 1, alpha = beta = 2


def test_rmse_and_bias_by_hand():
    assert rmse(OBS, SIM) == pytest.approx(np.sqrt(6 / 4))
    assert bias(OBS, SIM + 0.5) == pytest.approx(0.5)


def test_the_observed_mean_has_nse_0():
    assert nse(OBS, np.full(4, OBS.mean())) == pytest.approx(0)
    assert kge(OBS, np.full(4, OBS.mean())) is None  # no correlation with a constant


def test_constant_observations_have_neither():
    constant = np.full(4, 0.1)
    assert nse(constant, SIM) is None
    assert kge(constant, SIM) is None
    assert rmse(constant, constant) == 0


def test_a_variance_too_small_to_be_a_number_is_none():
    assert nse(np.array([0.0, 1e-200, 0.0]), SIM[:3]) is None
    assert kge(OBS, np.array([0.0, 1e-200, 0.0, 0.0])) is None


def test_days_without_both_values_are_left_out():
    obs = np.append(OBS, [np.nan, 5.0])
    sim = np.append(SIM, [1.0, np.nan])
    assert skill(obs, sim) == skill(OBS, SIM)
    assert skill(obs, sim)["days"] == 4


def test_no_days_at_all():
    assert skill(np.array([np.nan]), np.array([1.0])) == {
        "nse": None,
        "kge": None,
        "rmse": None,
        "bias": None,
        "days": 0,
    }


values = st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=3, max_size=3)


# Slow is no failure: other jobs share the cores.
@given(values, values)
def test_figures_are_always_json(obs, sim):
    figures = skill(np.array(obs), np.array(sim))
    json.dumps(figures, allow_nan=False)
    assert figures["nse"] is None or figures["nse"] <= 1
    assert figures["kge"] is None or figures["kge"] <= 1


def test_figures_have_nine_digits():
    assert skill(OBS, SIM) == {"nse": 0.571428571, "kge": 0.494076083, "rmse": 1.22474487, "bias": 0.0, "days": 4}


def test_a_network_has_learned_nothing_of_who_is_held_out():
    network = {"name": "regional", "basins": ["a", "b"], "parameters": 7, "best_epoch": 2, "losses": [1, 2, 3]}
    learned = {"basins": ["a", "b"], "parameters": 7, "best_epoch": 2, "epochs": 3}
    assert about_network(network, {"a": {}, "b": {"held_out": False}}) == learned
    assert about_network(network, {"a": {}, "b": {"held_out": True}}) == learned | {"held_out": ["b"]}
