"""A control room's notes, with no environment to try anything in."""
