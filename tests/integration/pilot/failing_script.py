"""Run by the rule `script_fails`."""

raise ValueError("from the script")
