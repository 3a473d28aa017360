"""The command lines: each a thin call into what is below."""
