"""The applications: pipelines from data to a report."""
