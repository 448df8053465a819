"""Limits the memory of this process."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def limit_memory(extra_bytes: int) -> Iterator[None]:
    """Make allocations fail that need more than `extra_bytes` above the memory mapped when the block begins.

    Lambda kills a function that exceeds its memory, and no error names the picture. A decoder that hits this limit
    raises an error instead: libavif a RuntimeError, Pillow a MemoryError. Only Linux enforces the limit.
    """
    if sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
