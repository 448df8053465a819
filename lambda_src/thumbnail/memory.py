"""A bound on memory that this process sets itself."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bounded_memory(more: int) -> Iterator[None]:
    """Let allocations fail that would take `more` bytes beyond what the process has mapped when the block begins.

    Lambda kills a function that outgrows its memory, and nobody learns why. A decoder that gets no memory says so:
    libavif by a RuntimeError, Pillow by a MemoryError. Only Linux enforces the limit.
    """
    if sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
