"""Arrays in other programs' files: looked at first, read in bounds, never executed."""
