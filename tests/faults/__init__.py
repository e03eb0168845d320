"""Seeded faults: clean experience, ways in which logs go wrong, and what validation says of them."""
