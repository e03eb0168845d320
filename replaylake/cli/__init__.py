"""The command `replaylake`."""

from replaylake.cli.app import main

__all__ = ["main"]
