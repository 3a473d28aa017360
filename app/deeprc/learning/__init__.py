"""Training loops: seeds, threads, schedules, and the best weights of a run."""
