"""The charts, one a file; each function returns a plotly figure and knows nothing of the page."""
