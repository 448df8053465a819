"""Reads the boxes of an AVIF or HEIC file (ISO/IEC 14496-12 and 23008-12).

A box has a size, a kind of four letters, and content. The content is often a list of boxes. A file can contain several
coded pictures, which are called items. The box `pitm` names the primary item, which is the picture that viewers show.
The boxes `ipco` and `ipma` give the properties of the items, such as the size and the rotation. An animation has a
track of frames instead of items. Its properties are in the description of the track's samples.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

# These limits are for hostile files. A picture of 50 megapixels in tiles of 64 x 64 pixels has 12,000 items.
_MAX_BOXES = 65_535
MAX_TABLE_BYTES = 1 << 20
"""Maximum size of a box that is read entry by entry."""
_MAX_DERIVATIONS = 4

# An item of these kinds is made from other items. A phone stores a large picture as a `grid` of small items.
_DERIVED_KINDS = frozenset({b"grid", b"iden", b"iovl"})

# A file can have these boxes in place of items: frames that are not AV1, or one item in a shorter form.
_OTHER_PICTURES = frozenset({b"moov", b"mini"})

# ISO/IEC 14496-12: lengths of the fields before the first box in some boxes. A full box begins with its version.
_FULL_BOX, _SAMPLE_DESCRIPTIONS, _VISUAL_SAMPLE_ENTRY = 4, 8, 78


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPicture:
    """The picture of a file that viewers show: the primary item, or the first frame of an animation."""

    coding: bytes
    """Kind of the coded data, such as `av01` or `hvc1`. It is empty if the file has neither items nor AV1 frames."""
    properties: tuple[tuple[bytes, memoryview], ...]
    """The kind and the content of each property, in the order in which a decoder applies them."""

    def all(self, kind: bytes) -> list[memoryview]:
        """Return the contents of all properties of this kind."""
        return [content for name, content in self.properties if name == kind]


def read_shown_picture(data: bytes) -> ShownPicture:
    """Return the picture that a viewer shows, with its properties.

    Raises ValueError, LookupError or struct.error if the boxes are damaged, or if there are far too many.
    """
    boxes = _first_boxes(memoryview(data))
    major_brand = bytes(boxes[b"ftyp"][:4])
    # Decoders of AVIF prefer frames to items, unless the file says that it is a still picture.
    if major_brand != b"avif" and b"moov" in boxes:
        frames = _av1_frames(boxes[b"moov"])
        if frames:
            return frames
    meta = _first_boxes(boxes.get(b"meta", memoryview(b""))[_FULL_BOX:])
    if b"pitm" in meta:
        return _primary_item(meta)
    if boxes.keys().isdisjoint(_OTHER_PICTURES):
        raise ValueError("the file has no picture")
    return ShownPicture(coding=b"", properties=())


def boxes(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and the content of each box. Raises ValueError if a size is wrong, or if there are too many."""
    for _ in range(_MAX_BOXES):
        if len(view) < struct.calcsize(">I4s"):
            return
        size, kind = struct.unpack_from(">I4s", view)
        start = 8
        if size == 0:  # the last box of a file may leave its size open
            size = len(view)
        elif size == 1:
            (size,) = struct.unpack_from(">Q", view, start)
            start = 16
        if size < start:
            raise ValueError(f"box {kind!r} has {size} bytes")
        yield kind, view[start:size]
        view = view[size:]
    raise ValueError(f"more than {_MAX_BOXES:,} boxes")


def _first_boxes(view: memoryview) -> Mapping[bytes, memoryview]:
    """Return the content of the first box of each kind."""
    first_boxes: dict[bytes, memoryview] = {}
    for kind, content in boxes(view):
        first_boxes.setdefault(kind, content)
    return first_boxes


def _table(boxes: Mapping[bytes, memoryview], kind: bytes) -> memoryview:
    """Return the content of a box that must exist, and that is read entry by entry."""
    if kind not in boxes or len(boxes[kind]) > MAX_TABLE_BYTES:
        raise ValueError(f"box {kind!r} is missing or too large")
    return boxes[kind]


# --- items ---


def _primary_item(meta: Mapping[bytes, memoryview]) -> ShownPicture:
    primary = _item_id(meta[b"pitm"], _FULL_BOX, is_long=meta[b"pitm"][0] > 0)
    iprp = _table(meta, b"iprp")
    all_properties = list(boxes(_first_boxes(iprp)[b"ipco"]))
    # The numbers of the properties begin with 1. The number 0 means no property.
    numbers = [number for number in _property_numbers(iprp, primary) if number]
    return ShownPicture(
        coding=_coding(meta, primary),
        properties=tuple(all_properties[number - 1] for number in numbers),
    )


def _item_id(view: memoryview, offset: int, *, is_long: bool) -> int:
    item_id: int = struct.unpack_from(">I" if is_long else ">H", view, offset)[0]
    return item_id


def _coding(meta: Mapping[bytes, memoryview], item: int) -> bytes:
    """Return the kind of an item. If the item is made from other items, return the kind of the first of these."""
    kinds = _item_kinds(_table(meta, b"iinf"))
    for _ in range(_MAX_DERIVATIONS):
        if kinds[item] not in _DERIVED_KINDS:
            return kinds[item]
        item = _first_part(_table(meta, b"iref"), item)
    raise ValueError("an item is made from items that are made from items, and so on")


def _item_kinds(iinf: memoryview) -> Mapping[int, bytes]:
    kinds = {}
    start = _FULL_BOX + (2 if iinf[0] == 0 else 4)  # the number of entries, which is not needed
    for _, entry in boxes(iinf[start:]):
        is_long = entry[0] > 2  # noqa: PLR2004 - the version
        kind_offset = _FULL_BOX + (4 if is_long else 2) + 2
        kinds[_item_id(entry, _FULL_BOX, is_long=is_long)] = bytes(entry[kind_offset : kind_offset + 4])
    return kinds


def _first_part(iref: memoryview, item: int) -> int:
    is_long = iref[0] > 0
    id_size = 4 if is_long else 2
    for kind, reference in boxes(iref[_FULL_BOX:]):
        if kind == b"dimg" and _item_id(reference, 0, is_long=is_long) == item:
            return _item_id(reference, id_size + 2, is_long=is_long)  # after the id is the number of parts
    raise ValueError(f"item {item} has no parts")


def _property_numbers(iprp: memoryview, item: int) -> list[int]:
    """Return the numbers of an item's properties, in the order of the file."""
    for kind, ipma in boxes(iprp):
        if kind == b"ipma":
            mask = AssociationFormat.of(ipma).number_mask
            for entry_item, numbers in read_associations(ipma):
                if entry_item == item:
                    return [number & mask for number in numbers]
    return []


class AssociationFormat(NamedTuple):
    """The form of the numbers in a box `ipma`."""

    item: str
    """Format of an item's id, for the module `struct`."""
    number: str
    """Format of a property's number. Its highest bit says that a decoder must not ignore the property."""
    number_mask: int
    """All bits of a property's number except the highest one."""

    @classmethod
    def of(cls, ipma: memoryview) -> Self:
        """Return the form that the version and the flags of this box define."""
        item = "I" if ipma[0] > 0 else "H"
        return cls(item, "H", 0x7FFF) if ipma[3] & 1 else cls(item, "B", 0x7F)


def read_associations(ipma: memoryview) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the id of each item in a box `ipma`, and the numbers of its properties with their highest bit."""
    form = AssociationFormat.of(ipma)
    (entry_count,) = struct.unpack_from(">I", ipma, _FULL_BOX)
    offset = _FULL_BOX + 4
    for _ in range(entry_count):
        item, count = struct.unpack_from(f">{form.item}B", ipma, offset)
        offset += struct.calcsize(f">{form.item}B")
        yield item, struct.unpack_from(f">{count}{form.number}", ipma, offset)
        offset += struct.calcsize(f">{count}{form.number}")


# --- frames of an animation ---


def _av1_frames(moov: memoryview) -> ShownPicture | None:
    """Return the first track of AV1 frames. A track of transparency belongs to another track, so it is skipped."""
    for kind, content in boxes(moov):
        track = _first_boxes(content) if kind == b"trak" else {}
        if b"mdia" not in track or b"auxl" in _first_boxes(track.get(b"tref", content[:0])):
            continue
        descriptions = _content_of(track[b"mdia"], b"minf", b"stbl", b"stsd")
        for coding, entry in boxes(descriptions[_SAMPLE_DESCRIPTIONS:]):
            if coding == b"av01":
                return ShownPicture(coding=coding, properties=tuple(boxes(entry[_VISUAL_SAMPLE_ENTRY:])))
    return None


def _content_of(view: memoryview, *path: bytes) -> memoryview:
    """Return the content of a box inside other boxes. If a box is missing, the content is empty."""
    for kind in path:
        view = _first_boxes(view).get(kind, view[:0])
    return view
