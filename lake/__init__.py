"""The lake: archives of experience as Delta tables, snapshots of them, and SQL over them.

What this package offers stands in the stub beside it, and is imported when it is first asked for: all of it
together takes a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
