"""Alarms: what is dangerous now, who knows, and who has taken it on. Public side."""
