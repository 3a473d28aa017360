"""What applications share."""
