"""The gate: the only doors from the private to the public side."""
