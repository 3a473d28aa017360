"""The quality flags of USGS daily discharge, as words."""

from __future__ import annotations

import polars as pl

# CAMELS-US (Newman et al. 2015, readme of usgs_streamflow): A, A:e and M. Newer downloads from USGS add P and the other
# daily-value qualifiers of https://help.waterdata.usgs.gov/codes-and-parameters/daily-value-qualification-code-dv_rmk_cd
STATES = {"A": "approved", "P": "provisional", "M": "missing"}
QUALIFIERS = {"e": "estimated", "E": "estimated", "&": "estimated", "<": "limit", ">": "limit", "R": "revised"}
WORDS = STATES | {f"{state}:{mark}": word for state in "AP" for mark, word in QUALIFIERS.items()}


def words(flags: pl.Series) -> pl.Series:
    """The meaning of each flag, null where the flag is not known."""
    return flags.replace_strict(WORDS, default=None, return_dtype=pl.String).alias("quality")
