"""A file that consists of new first bytes and of a part of another file, without a copy of that part."""

import io
from typing import BinaryIO


class SplicedFile(io.RawIOBase):
    """A file for reading. Its content is `head`, and after that the bytes of `source` at these offsets."""

    def __init__(self, head: bytes, source: BinaryIO, offsets: range) -> None:
        self._head = head
        self._source = source
        self._offsets = offsets
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set and return the position, which is relative to the beginning or to the current position."""
        self._position = offset + (self._position if whence == io.SEEK_CUR else 0)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. One call returns bytes of the head or of the other file, but not of both."""
        data = self._head[self._position :]
        if data:
            data = data[:size] if size >= 0 else data
        else:
            start = self._offsets.start + self._position - len(self._head)
            limit = max(self._offsets.stop - start, 0)
            self._source.seek(start)
            data = self._source.read(min(size, limit) if size >= 0 else limit)
        self._position += len(data)
        return data
