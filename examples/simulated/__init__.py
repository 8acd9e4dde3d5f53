"""Simulated cameras: crowds with known truth, walked by social forces or recorded, filmed through a pinhole camera."""
