"""`deeprc bench pipeline`: the whole of a workflow by a pilot, beside the same commands without one."""
