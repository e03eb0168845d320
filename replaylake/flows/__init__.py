"""Flows: what needs several floors at once."""
