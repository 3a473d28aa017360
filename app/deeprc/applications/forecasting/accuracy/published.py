"""The published figures: MSE and MAE of scaled values, all seven series of ETT, by horizon.

Sources: PatchTST/42 and DLinear: PatchTST's table of supervised results (arXiv:2211.14730, table 3; github.com
yuqinie98/PatchTST, pic/table3.png). NHITS: github.com Nixtla/neuralforecast, experiments/long_horizon. iTransformer and
TimesNet: iTransformer's table of full results (arXiv:2310.06625), as printed again by S-Mamba (arXiv:2403.11144).
"""

from __future__ import annotations

HORIZONS = (96, 192, 336, 720)

ROWS = {
    "ETTh1": {
        "DLinear": [(0.375, 0.399), (0.405, 0.416), (0.439, 0.443), (0.472, 0.490)],
        "NHITS": [(0.378, 0.393), (0.427, 0.436), (0.458, 0.484), (0.561, 0.501)],
        "PatchTST": [(0.375, 0.399), (0.414, 0.421), (0.431, 0.436), (0.449, 0.466)],
        "iTransformer": [(0.386, 0.405), (0.441, 0.436), (0.487, 0.458), (0.503, 0.491)],
        "TimesNet": [(0.384, 0.402), (0.436, 0.429), (0.491, 0.469), (0.521, 0.500)],
    },
    "ETTh2": {
        "DLinear": [(0.289, 0.353), (0.383, 0.418), (0.448, 0.465), (0.605, 0.551)],
        "NHITS": [(0.274, 0.345), (0.353, 0.401), (0.382, 0.425), (0.625, 0.557)],
        "PatchTST": [(0.274, 0.336), (0.339, 0.379), (0.331, 0.380), (0.379, 0.422)],
        "iTransformer": [(0.297, 0.349), (0.380, 0.400), (0.428, 0.432), (0.427, 0.445)],
        "TimesNet": [(0.340, 0.374), (0.402, 0.414), (0.452, 0.452), (0.462, 0.468)],
    },
}

MODELS = tuple(ROWS["ETTh1"])


def row(dataset: str, model: str, horizon: int) -> dict[str, float]:
    """The published `mse` and `mae`."""
    return dict(zip(("mse", "mae"), ROWS[dataset][model][HORIZONS.index(horizon)], strict=True))
