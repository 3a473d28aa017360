"""Many trainings of one application that differ in some options, and one table of them (docs/sweeps.md)."""
