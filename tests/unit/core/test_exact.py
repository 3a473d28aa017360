"""Sums that no processor and no environment changes, and what is computed with them."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deeprc.core.exact import mean, rounded, total

# The features that numpy's loops were compiled for beside its baseline, and that this processor has.
FEATURES = [
    name for name in np._core._multiarray_umath.__cpu_dispatch__ if np._core._multiarray_umath.__cpu_features__[name]
]
# What may be set outside of an image and not in it. A name that OpenBLAS does not know leaves its choice as it was.
ENVIRONMENTS = [
    {},
    {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": " ".join(FEATURES)},
    {"OPENBLAS_CORETYPE": "Haswell", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4"},
    {"OPENBLAS_CORETYPE": "SkylakeX" if "AVX512_SKX" in FEATURES else "Nehalem", "OPENBLAS_NUM_THREADS": "2"},
]


def test_metrics_and_prepared_data_are_the_same_bytes_whatever_instructions_libraries_choose(tmp_path):
    program = Path(__file__).with_name("same_bytes.py")

    def run(number: int) -> dict:
        done = subprocess.run(
            [sys.executable, str(program), str(tmp_path / str(number))], capture_output=True, text=True, timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1", **ENVIRONMENTS[number]},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(run, range(len(ENVIRONMENTS)))
    for environment, found in zip(ENVIRONMENTS[1:], others, strict=True):
        assert found == first, environment


def test_a_sum_is_the_exact_one_in_whatever_order():
    values = np.array([1e16, 1.0, -1e16, 1e-3])
    assert total(values) == total(values[::-1]) == 1.001
    assert mean(values) == 1.001 / 4


@pytest.mark.parametrize("values", [[math.inf, -math.inf], [1e308] * 3, [math.nan, 1.0]])
def test_what_is_not_a_number_is_nan(values):
    assert math.isnan(total(np.array(values)))


def test_no_values_have_no_mean():
    assert math.isnan(mean(np.array([])))


def test_six_digits():
    assert [rounded(value) for value in (1 / 3, 1234567.0, math.nan, math.inf, None)] == [
        0.333333, 1234570.0, None, None, None,
    ]  # fmt: skip
