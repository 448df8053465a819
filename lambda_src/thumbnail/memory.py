"""Limits the memory of this process."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def limit_memory(extra_bytes: int) -> Iterator[None]:
    """Inside the `with` block, limit the process to `extra_bytes` more virtual memory than it has at the start.

    If a Lambda function exceeds its memory, Lambda kills it, and the log does not show which picture was the cause.
    With this limit the decoder raises an error instead: Pillow raises MemoryError, and the decoders of AVIF and HEIC
    (libavif and libheif) raise RuntimeError or ValueError. Only Linux enforces the limit; on other systems the function
    does nothing.
    """
    if sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra_bytes, hard_limit))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft_limit, hard_limit))
