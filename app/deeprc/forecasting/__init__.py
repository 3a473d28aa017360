"""Forecasting of hourly series with eleven neural models in PyTorch."""
