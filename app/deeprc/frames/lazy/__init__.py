"""Lazy frames: Polars' syntax over MPI. A plan is rewritten, and run with as few exchanges as can be told."""
