"""The results as a Workflow Run RO-Crate: who reads RO-Crates finds what ran, of what, with what, and what came out.

Made of `run.json` and the events of runs alone; what these do not tell is left out, not guessed.
"""
