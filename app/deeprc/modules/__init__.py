"""Releases that a facility publishes: a folder per version, and the modulefiles that put it into users' shells."""
