"""Functions that change the boxes of AVIF and HEIC files (ISO/IEC 14496-12).

The tests need files with properties that the encoders cannot write.
"""

import struct
from collections.abc import Callable

Change = Callable[[bytes], bytes]

FRAME_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"av01")
"""The path to the description of an animation's frames."""

# The lengths of the fields before the first box inside these boxes.
_FIELDS = {b"meta": 4, b"iinf": 6, b"iref": 4, b"stsd": 8, b"av01": 78}


def box(kind: bytes, content: bytes) -> bytes:
    """Return a box: its size, its kind and its content."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the kind and the content of each box."""
    found = []
    while data:
        size, kind = struct.unpack_from(">I4s", data)
        assert size >= 8, (size, kind)
        found.append((kind, data[8:size]))
        data = data[size:]
    return found


def content_of(data: bytes, *path: bytes) -> bytes:
    """Return the content of the first box at this path, such as `meta`, `iprp`, `ipco`."""
    for kind in path:
        data = dict(reversed(boxes(data)))[kind]
        data = data[_FIELDS.get(kind, 0) :] if kind != path[-1] else data
    return data


def change_box(data: bytes, path: tuple[bytes, ...], change: Change) -> bytes:
    """Return the file with a changed box. The path begins with `meta` or `moov`.

    The changed `meta` or `moov` goes to the end of the file, and the old one becomes free space. So all data keeps its
    place in the file, and no offset changes.
    """
    with_free_space = b"".join(box(b"free" if kind == path[0] else kind, content) for kind, content in boxes(data))
    old_content = dict(boxes(data))[path[0]]
    return with_free_space + _rebuilt(box(path[0], old_content), path, change)


def _rebuilt(data: bytes, path: tuple[bytes, ...], change: Change) -> bytes:
    parts = []
    is_changed = False
    for kind, content in boxes(data):
        new_content = content
        if kind == path[0] and not is_changed:
            is_changed = True
            fields = _FIELDS.get(kind, 0)
            new_content = (
                content[:fields] + _rebuilt(content[fields:], path[1:], change) if len(path) > 1 else change(content)
            )
        parts.append(box(kind, new_content))
    assert is_changed, path
    return b"".join(parts)


def add_property(data: bytes, kind: bytes, content: bytes) -> bytes:
    """Return the file with one more property of its primary item. It is the last of the item's properties."""
    (primary,) = struct.unpack_from(">H", content_of(data, b"meta", b"pitm"), 4)
    number = len(boxes(content_of(data, b"meta", b"iprp", b"ipco"))) + 1

    def associate(ipma: bytes) -> bytes:
        # The table of a small file has 16-bit ids and 8-bit numbers of properties. The highest bit means `essential`.
        assert ipma[:4] == bytes(4)
        offset = 8
        while struct.unpack_from(">H", ipma, offset) != (primary,):
            offset += 3 + ipma[offset + 2]
        count = ipma[offset + 2]
        end = offset + 3 + count
        return ipma[: offset + 2] + bytes([count + 1]) + ipma[offset + 3 : end] + bytes([0x80 | number]) + ipma[end:]

    with_property = change_box(data, (b"meta", b"iprp", b"ipco"), lambda ipco: ipco + box(kind, content))
    return change_box(with_property, (b"meta", b"iprp", b"ipma"), associate)


def add_frame_property(data: bytes, kind: bytes, content: bytes) -> bytes:
    """Return the animation with one more property of its first track of frames."""
    return change_box(data, FRAME_PATH, lambda entry: entry + box(kind, content))


def clap(size: tuple[int, int], visible: tuple[int, int, int, int]) -> bytes:
    """Return the content of the property `clap` of a picture with this size.

    `visible` is the left, top, right and bottom edge of the visible part. The property has its width and height, and
    the distance of its centre from the picture's centre, as fractions (ISO/IEC 14496-12, 12.1.4.1).
    """
    left, top, right, bottom = visible
    return struct.pack(">8i", right - left, 1, bottom - top, 1, left + right - size[0], 2, top + bottom - size[1], 2)


def nclx(primaries: int, transfer: int) -> bytes:
    """Return the content of the property `colr` for these code points of H.273."""
    return b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80)


# --- files that break a rule ---


def without_property(data: bytes, item: int, kind: bytes) -> bytes:
    """Return the file without this property of an item."""
    kinds = [name for name, _ in boxes(content_of(data, b"meta", b"iprp", b"ipco"))]

    def remove(ipma: bytes) -> bytes:
        entries = []
        for entry in _entries(ipma):
            numbers = bytes(number for number in entry[3:] if kinds[(number & 0x7F) - 1] != kind)
            entries.append(entry[:2] + bytes([len(numbers)]) + numbers if entry[1] == item else entry)
        return ipma[:8] + b"".join(entries)

    return change_box(data, (b"meta", b"iprp", b"ipma"), remove)


def with_divided_associations(data: bytes, *, is_reversed: bool = False) -> bytes:
    """Return the file with one box `ipma` for each item. A file may have only one (ISO/IEC 14496-12, 8.11.14.1)."""

    def divide(iprp: bytes) -> bytes:
        ipco, (_, ipma) = boxes(iprp)
        tables = [box(b"ipma", ipma[:4] + struct.pack(">I", 1) + entry) for entry in _entries(ipma)]
        return box(*ipco) + b"".join(reversed(tables) if is_reversed else tables)

    return change_box(data, (b"meta", b"iprp"), divide)


def _entries(ipma: bytes) -> list[bytes]:
    id_size, number_size = (4 if ipma[0] else 2), (2 if ipma[3] & 1 else 1)
    entries, offset = [], 8
    while offset < len(ipma):
        end = offset + id_size + 1 + ipma[offset + id_size] * number_size
        entries.append(ipma[offset:end])
        offset = end
    return entries


def with_broken_gain_map(data: bytes) -> bytes:
    """Return an AVIF whose transparency became a gain map for HDR screens. The numbers of the gain map are missing.

    AV1 Image File Format 1.2, section 4.2.2.
    """
    location = struct.pack(">HHHII", 3, 0, 1, 0, 4)  # the first four bytes of the file
    entry = box(b"infe", struct.pack(">IHH4s", 2 << 24, 3, 0, b"tmap") + b"\0")
    parts = box(b"dimg", struct.pack(">4H", 3, 2, 1, 2))
    group = box(b"grpl", box(b"altr", struct.pack(">5I", 0, 4, 2, 3, 1)))
    data = data.replace(b"miaf", b"tmap", 1)
    data = change_box(data, (b"meta", b"iloc"), lambda iloc: iloc[:6] + b"\0\3" + iloc[8:] + location)
    data = change_box(data, (b"meta", b"iinf"), lambda iinf: iinf[:4] + b"\0\3" + iinf[6:] + entry)
    data = change_box(data, (b"meta", b"iref"), lambda iref: iref[:4] + parts)
    return change_box(data, (b"meta",), lambda meta: meta + group)


# --- the same file in another form ---


def with_long_ids(data: bytes) -> bytes:
    """Return the file with 32-bit ids of items and 16-bit numbers of properties, as in a file with very many items."""

    def lengthen_entry(entry: bytes) -> bytes:
        return box(b"infe", b"\3" + entry[1:4] + bytes(2) + entry[4:])

    def lengthen_ipma(ipma: bytes) -> bytes:
        table, offset = b"", 8
        while offset < len(ipma):
            item, count = struct.unpack_from(">HB", ipma, offset)
            numbers = ipma[offset + 3 : offset + 3 + count]
            table += struct.pack(">IB", item, count)
            table += b"".join(struct.pack(">H", (number & 0x80) << 8 | number & 0x7F) for number in numbers)
            offset += 3 + count
        return b"\1\0\0\1" + ipma[4:8] + table

    def lengthen_iref(iref: bytes) -> bytes:
        references = b""
        for kind, content in boxes(iref[4:]):
            first, count, *others = struct.unpack(f">{len(content) // 2}H", content)
            references += box(kind, struct.pack(f">IH{count}I", first, count, *others))
        return b"\1\0\0\0" + references

    data = change_box(data, (b"meta", b"pitm"), lambda pitm: b"\1\0\0\0\0\0" + pitm[4:])
    data = change_box(
        data,
        (b"meta", b"iinf"),
        lambda iinf: iinf[:6] + b"".join(lengthen_entry(entry) for _, entry in boxes(iinf[6:])),
    )
    if b"iref" in dict(boxes(content_of(data, b"meta")[4:])):
        data = change_box(data, (b"meta", b"iref"), lengthen_iref)
    return change_box(data, (b"meta", b"iprp", b"ipma"), lengthen_ipma)


def with_long_size(data: bytes) -> bytes:
    """Return the file with a `meta` that has a 64-bit size, as a box of more than 4 GiB has."""
    meta = content_of(data, b"meta")
    return _without_meta(data) + struct.pack(">I4sQ", 1, b"meta", 16 + len(meta)) + meta


def with_open_size(data: bytes) -> bytes:
    """Return the file with a `meta` that ends at the end of the file, and has no size."""
    return _without_meta(data) + struct.pack(">I4s", 0, b"meta") + content_of(data, b"meta")


def _without_meta(data: bytes) -> bytes:
    return b"".join(box(b"free" if kind == b"meta" else kind, content) for kind, content in boxes(data))
