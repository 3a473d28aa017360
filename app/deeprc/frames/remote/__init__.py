"""Files beyond the file systems that are mounted here: `s3://…` and `https://…`."""
