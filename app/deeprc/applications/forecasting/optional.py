"""What the evaluation does without where it is not installed (nothing heavy is imported)."""

PACKAGE = "fracast"  # the zero-shot model
