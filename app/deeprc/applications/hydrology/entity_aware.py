"""The entity-aware LSTM: a basin's attributes open its cells' inputs, the weather does the rest.

Source: Kratzert et al. 2019, eq. 7-12, doi:10.5194/hess-23-5089-2019.
"""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.learning.tensorflow.backend import keras

FORGET_BIAS = 5.0  # at the start, so that it remembers: as in the authors' own code (kratzert/ealstm_regional_modeling)


class EntityAwareCell(keras.layers.Layer):
    """A step of it: the state is what it says, what it remembers, and the input gate, which stays as it is.

    Its input is what forget gate, candidate and output gate have of the weather; shape (batch, 3 * units).
    """

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units, self.state_size, self.output_size = units, [units, units, units], units

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights of what was said a step before."""
        self.kernel = self.add_weight(shape=(self.units, 3 * self.units), initializer="orthogonal", name="recurrent")

    def call(self, weather: keras.KerasTensor, states: Sequence[keras.KerasTensor]) -> tuple:
        """What it says at this step, and the states after it."""
        said, memory, gate = states
        forget, new, out = keras.ops.split(weather + keras.ops.matmul(said, self.kernel), 3, axis=-1)
        memory = keras.ops.sigmoid(forget) * memory + gate * keras.ops.tanh(new)
        said = keras.ops.sigmoid(out) * keras.ops.tanh(memory)
        return said, [said, memory, gate]


def entity_aware(windows: keras.KerasTensor, units: int, static: int) -> keras.KerasTensor:
    """What it says on the last day; shape (batch, units).

    Parameters
    ----------
    windows
        Shape (batch, days, columns), of which the last `static` are the basin's attributes, the same on each day.
    """
    weather, attributes = windows[:, :, :-static], windows[:, -1, -static:]
    gate = keras.layers.Dense(units, activation="sigmoid", name="input_gate")(attributes)
    bias = _Bias(units)
    projected = keras.layers.Dense(3 * units, bias_initializer=bias, name="weather")(weather)
    nothing = keras.ops.zeros_like(gate)
    return keras.layers.RNN(EntityAwareCell(units))(projected, initial_state=[nothing, nothing, gate])


class _Bias(keras.initializers.Initializer):
    """FORGET_BIAS for the forget gate, 0 for candidate and output gate."""

    def __init__(self, units: int) -> None:
        self.units = units

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> keras.KerasTensor:
        parts = [keras.ops.full((self.units,), FORGET_BIAS, dtype), keras.ops.zeros((2 * self.units,), dtype)]
        return keras.ops.concatenate(parts)
