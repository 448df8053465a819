#!/bin/sh
# Versions: Pillow 13.0.0, Python 3.11
# Expected: `exif_transpose` turns a picture whose EXIF has an orientation other than 1. Its documentation names only
#     EXIF. In an AVIF, the properties `irot` and `imir` turn the picture, and EXIF has no effect. Pillow follows this:
#     without them, it reports the orientation 1, even if EXIF says 6.
#     https://pillow.readthedocs.io/en/stable/reference/ImageOps.html#PIL.ImageOps.exif_transpose
# Behaviour: if EXIF has no orientation, `getexif` returns the one in XMP. Then `exif_transpose` turns the picture. So
#     the orientation in EXIF does not turn an AVIF, but the one in XMP does. Chromium 156 ignores XMP: it shows all
#     five pictures below as 40x20.
# Output: the size of a picture with 40x20 pixels after `exif_transpose`:
#     "AVIF, EXIF says 6: 40x20"
#     "AVIF, XMP says 6: 20x40"
#     "JPEG, XMP says 6: 20x40"
#     "PNG, XMP says 6: 20x40"
#     "WEBP, XMP says 6: 20x40"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
cat > "$folder/orientation.py" <<'PY'
import io
import struct
import sys

from PIL import ExifTags, Image, ImageOps, PngImagePlugin

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


def save(name: str, **options) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, name, **options)
    return file.getvalue()


def avif_with_exif() -> bytes:
    """Return an AVIF without `irot` whose EXIF has the orientation 6."""
    exif = Image.Exif()
    exif[ExifTags.Base.Compression] = 6  # Pillow would move an orientation to `irot`, so it gets this tag later
    entry, changed_entry = (
        struct.pack(">HHIH", tag, 3, 1, 6) for tag in (ExifTags.Base.Compression, ExifTags.Base.Orientation)
    )
    data = save("AVIF", exif=exif)
    assert data.count(entry) == 1
    return data.replace(entry, changed_entry)


def size_after_transpose(data: bytes) -> str:
    width, height = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size
    return f"{width}x{height}"


png_text = PngImagePlugin.PngInfo()
png_text.add_itxt("XML:com.adobe.xmp", XMP)
pictures = {
    "AVIF, EXIF says 6": avif_with_exif(),
    "AVIF, XMP says 6": save("AVIF", xmp=XMP.encode()),
    "JPEG, XMP says 6": save("JPEG", xmp=XMP.encode()),
    "PNG, XMP says 6": save("PNG", pnginfo=png_text),
    "WEBP, XMP says 6": save("WEBP", xmp=XMP.encode()),
}
sizes = [size_after_transpose(data) for data in pictures.values()]
for label, size in zip(pictures, sizes, strict=True):
    print(f"{label}: {size}")
sys.exit(sizes != ["40x20"] + ["20x40"] * 4)
PY
"$folder/venv/bin/python" "$folder/orientation.py"
