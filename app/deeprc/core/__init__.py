"""What everything stands on: errors, files, validation, events, what is shipped."""
