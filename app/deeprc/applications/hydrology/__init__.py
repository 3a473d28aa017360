"""Rainfall-runoff modelling: daily discharge of river basins from their weather, with an LSTM in TensorFlow."""
