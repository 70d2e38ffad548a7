"""`remask` in a terminal."""
