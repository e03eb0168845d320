"""Wrappers that publish what happens in an environment: one module for each kind of environment.

They are imported by their module, for each needs a library that nothing else here does.
"""
