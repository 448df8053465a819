"""Prepares AVIF files for Pillow. Its decoder libavif rejects some files that browsers or other decoders show.

The prepared file has the same length, so all offsets in it stay right.
"""

import io
import re
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from PIL import AvifImagePlugin, ImageFile

from thumbnail.pictures.isobmff import MAX_TABLE_BYTES, AssociationFormat, boxes, read_associations
from thumbnail.pictures.rejections import UnsupportedError

# The entry of EXIF in the list of items: version 2 with 16-bit ids, or version 3 with 32-bit ids (23008-12, 9.2).
# Pillow rejects a picture whose EXIF is broken, so EXIF gets the kind of an unknown item.
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)
_FULL_BOX = 4


def open_avif(source: BinaryIO) -> ImageFile.ImageFile:
    """Open an AVIF from its present position. Pillow decodes the pixels later.

    Raises UnsupportedError if libavif lacks a feature for the file. A damaged file can raise every kind of error.
    """
    data = _EXIF_ITEM.sub(rb"\1skip", source.read())
    try:
        return AvifImagePlugin.AvifImageFile(io.BytesIO(_with_accepted_meta(data)))
    except RuntimeError as error:
        if str(error).endswith("Not implemented"):
            raise UnsupportedError("libavif lacks a feature") from error
        raise


def _with_accepted_meta(data: bytes) -> bytes:
    """Return the file with a box `meta` that libavif accepts."""
    for kind, meta in boxes(memoryview(data)):
        if kind == b"meta":
            accepted = _accepted_meta(meta)
            return data if accepted == meta else data.replace(meta, accepted, 1)
    return data


def _accepted_meta(meta: memoryview) -> bytes:
    """Return the content of a box `meta` without its groups of items, and with accepted properties.

    libavif 1.4.2 rejects unknown kinds of groups. Without groups, it also ignores a gain map. This part of a picture is
    for HDR screens, and may be broken.
    """
    accepted = meta[:_FULL_BOX].tobytes() + b"".join(
        _box(kind, _accepted_properties(content) if kind == b"iprp" else content)
        for kind, content in boxes(meta[_FULL_BOX:])
        if kind != b"grpl"
    )
    free_bytes = len(meta) - len(accepted)
    return accepted + struct.pack(">I4s", free_bytes, b"free").ljust(free_bytes, b"\0")[:free_bytes]


def _box(kind: bytes, content: bytes | memoryview) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _accepted_properties(iprp: memoryview) -> bytes:
    """Return the content of a box `iprp` in which all boxes `ipma` of the same form are one box.

    Some encoders write one box for each item, which ISO/IEC 14496-12 (8.11.14.1) forbids.
    """
    if len(iprp) > MAX_TABLE_BYTES:
        raise ValueError("box b'iprp' is too large")
    containers = [content for kind, content in boxes(iprp) if kind == b"ipco"]
    kinds = [b"", *(kind for ipco in containers for kind, _ in boxes(ipco))]
    only_size = kinds.index(b"ispe") if kinds.count(b"ispe") == 1 else None
    tables: dict[bytes, list[bytes]] = {}
    for kind, ipma in boxes(iprp):
        if kind == b"ipma":
            tables.setdefault(bytes(ipma[:_FULL_BOX]), []).extend(_accepted_entries(ipma, kinds, only_size))
    merged = [form + struct.pack(">I", len(entries)) + b"".join(sorted(entries)) for form, entries in tables.items()]
    return b"".join([_box(b"ipco", ipco) for ipco in containers] + [_box(b"ipma", ipma) for ipma in merged])


def _accepted_entries(ipma: memoryview, kinds: Sequence[bytes], only_size: int | None) -> Iterator[bytes]:
    """Yield the entries of a box `ipma`. `kinds` are the kinds of the properties with the numbers 0, 1, 2 ...

    `only_size` is the number of the property `ispe` if the file has exactly one.
    """
    form = AssociationFormat.of(ipma)
    for item, old_numbers in read_associations(ipma):
        own_kinds = [kinds[number & form.number_mask] for number in old_numbers]
        numbers = old_numbers if only_size is None else _with_size(old_numbers, own_kinds, only_size)
        yield struct.pack(f">{form.item}B{len(numbers)}{form.number}", item, len(numbers), *numbers)


def _with_size(numbers: Sequence[int], own_kinds: Sequence[bytes], size: int) -> Sequence[int]:
    """Return the numbers of an item's properties. If it is the transparency and has no size, it gets the number `size`.

    Some encoders of 2020 forgot the size. Its number takes the place of `pixi`, the depth, which Pillow does not need.
    """
    if b"auxC" not in own_kinds or b"ispe" in own_kinds:
        return numbers
    return [size if kind == b"pixi" else number for number, kind in zip(numbers, own_kinds, strict=True)]
