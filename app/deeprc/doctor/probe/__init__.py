"""What runs on the ranks: small programs that print what they found, one JSON object a line."""
