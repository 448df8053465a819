"""The limits of a picture, for the thumbnail function and for the Batch job."""

MAX_BYTES = 50 * 1024**2
"""A larger upload is rejected before it is read. A 50 MP JPEG of the best quality has about 30 MB."""
MAX_PIXELS = 50_000_000
"""A larger picture is rejected before it is decoded. Today's phones make 12 to 50 MP."""
MAX_DECODING_BYTES = 1200 * 1024**2
"""A picture that needs more memory is rejected, so the function is not killed. In the worst format measured, an
animated lossless WebP, 50 MP need 1,130 MiB (22.6 MiB a megapixel). A JPEG needs 10 to 385 MiB."""
