"""Accuracy beside published rows: `deeprc bench accuracy`."""
