"""The report of a run: one self-contained page, every model's metrics, and where the numbers come from."""
