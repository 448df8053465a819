"""How large a picture may be, for the function and for the Batch job alike."""

MAX_BYTES = 50 * 1024**2
"""Larger uploads are rejected unread: a 50 MP JPEG of the best quality has some 30 MB."""
MAX_PIXELS = 50_000_000
"""Larger pictures are rejected undecoded. Today's phones make 12 to 50 MP."""
MAX_DECODING_BYTES = 1200 * 1024**2
"""A picture that takes more is rejected, not the function killed. 50 MP need 1,130 MiB in the worst format measured,
an animated lossless WebP with its 22.6 MiB a megapixel; a JPEG needs 10 to 385."""
