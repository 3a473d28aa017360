"""How many threads the libraries under Python start: each reads a variable of its own when it is loaded."""

LIBRARIES = ("OMP_NUM", "GOTO_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM")


def variables(count: int) -> dict[str, str]:
    """The variables for `count` threads, the same as Snakemake sets for a job."""
    return {f"{library}_THREADS": str(count) for library in LIBRARIES}
