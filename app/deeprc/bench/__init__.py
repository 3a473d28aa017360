"""Measurements of a machine, beside the alternatives that a user has."""
