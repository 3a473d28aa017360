"""Forecasting of time series with eleven neural models in PyTorch."""
