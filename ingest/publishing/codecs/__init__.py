"""The columns of a step on their quick way into Arrow: one value at a time in, all of them at once out."""

from ingest.publishing.codecs.codec import Codec, OddValueError, has_rows
from ingest.publishing.codecs.plain import Floats, FreeFields, plain_codec
from ingest.publishing.codecs.spaces import codec_of

__all__ = ["Codec", "Floats", "FreeFields", "OddValueError", "codec_of", "has_rows", "plain_codec"]
