"""Many jobs on a machine that is not here: the pilot's own schedule, and made-up events in place of nodes."""
