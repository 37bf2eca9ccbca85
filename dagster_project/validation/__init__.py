"""Hold tables to the expectations, and keep what failed."""
