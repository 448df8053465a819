"""The limits of a picture. The thumbnail function and the Batch job have the same limits."""

MAX_BYTES = 50 * 1024**2
"""Maximum size of an upload. A larger upload is rejected before it is read. A JPEG of 50 megapixels (MP) has about 30
MB at the best quality."""
MAX_PIXELS = 50_000_000
"""Maximum number of pixels. A larger picture is rejected before it is decoded. Phones make pictures of 12 to 50 MP."""
MAX_DECODING_BYTES = 1200 * 1024**2
"""Maximum memory for decoding a picture. If a picture needs more, it is rejected, because AWS would kill the function.
In the worst format that we measured, an animated lossless WebP, 50 MP need 1,130 MiB (22.6 MiB a megapixel). A JPEG
needs 10 to 385 MiB. A HEIC needs 440 to 500 MiB, or 1,060 MiB with 10 bits and transparency."""
