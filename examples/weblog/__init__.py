"""A web shop's log, with clicks that come later as rewards."""
