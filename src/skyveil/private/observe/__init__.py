"""Where people are, in metres: the only code that turns what was found into places. Private side."""
