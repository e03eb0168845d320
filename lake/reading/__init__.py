"""Reading for learners: snapshots as arrays, whole or in shuffled blocks, and the cache of them."""

from lake.reading.arrays import StepArrays
from lake.reading.blocks import Blocks, open_blocks
from lake.reading.cache import purge
from lake.reading.reader import read_arrays, read_transitions

__all__ = ["Blocks", "StepArrays", "open_blocks", "purge", "read_arrays", "read_transitions"]
