"""The networks: a small one that cuDNN can run, too, the published one, and the entity-aware one."""

from __future__ import annotations

from deeprc.applications.hydrology.alone import lonely
from deeprc.applications.hydrology.config import TrainConfig
from deeprc.applications.hydrology.entity_aware import entity_aware
from deeprc.learning.tensorflow.backend import half, keras


def build(config: TrainConfig, window: int, width: int, static: int = 0) -> keras.Model:
    """A network that computes the (scaled) discharge of a window's last day.

    Parameters
    ----------
    window, width
        Days and columns of a window: the input has the shape (batch, window, width), the output (batch, 1).
    static
        How many of the columns, the last ones, tell basins apart.

    Raises
    ------
    ConfigError
        For an entity-aware network where nothing tells basins apart.
    """
    inputs = keras.Input((window, width))
    if config.variant == "entity-aware":
        if not static:
            raise lonely(["a basin"])
        state = entity_aware(inputs, config.units, static)
        outputs = _discharge(keras.layers.Dropout(config.dropout)(state))
    else:
        outputs = NETWORKS[config.variant](inputs, config.units, config.dropout)
    return keras.Model(inputs, outputs, name=config.variant)


def trainable(config: TrainConfig, *shape: int) -> tuple[keras.Model, keras.Model]:
    """A network in the precision of `config`, and one in float32 that is judged with its weights: mostly the same.

    `shape` is as of `build`.
    """
    if config.precision != "bfloat16":
        return (model := build(config, *shape)), model
    with half():
        model = build(config, *shape)
    return model, build(config, *shape)


def small(inputs: keras.KerasTensor, units: int, dropout: float) -> keras.KerasTensor:
    """One LSTM with tanh and no recurrent dropout: what cuDNN asks for (and Keras checks)."""
    state = keras.layers.LSTM(units)(inputs)
    return _discharge(keras.layers.Dropout(dropout)(state))


def paper(inputs: keras.KerasTensor, units: int, dropout: float) -> keras.KerasTensor:
    """Dense, two LSTMs, Dense, all with selu; dropout also on the recurrent state, which switches cuDNN off."""
    layers = {"activation": "selu", "dropout": dropout, "recurrent_dropout": dropout}
    hidden = keras.layers.Dense(units, activation="selu")(inputs)
    hidden = keras.layers.LSTM(units, return_sequences=True, **layers)(hidden)
    hidden = keras.layers.LSTM(units, **layers)(hidden)
    return _discharge(keras.layers.Dense(units, activation="selu")(hidden))


def _discharge(hidden: keras.KerasTensor) -> keras.KerasTensor:
    """The last layer, in float32 whatever the others compute in: bfloat16 would round the discharge to 3 digits."""
    return keras.layers.Dense(1, dtype="float32")(hidden)


NETWORKS = {"small": small, "paper": paper}
