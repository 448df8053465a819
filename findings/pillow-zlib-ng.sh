#!/bin/sh
# Versions: Pillow 13.0.0 (wheel for Linux, manylinux), Python 3.11, zlib 1.2.13 of Debian 12
# Expected: features.check("zlib_ng") says whether Pillow uses zlib-ng, a faster zlib. For the wheel it is True, and
#     features.version("zlib_ng") is 2.3.3. So PNGs are decoded with zlib-ng. Pillow's release notes of 11.1 say that
#     the wheels are built against it "for improved speed".
# Behaviour: the wheel was only compiled with zlib-ng. It contains no zlib, and loads libz.so.1 of the system. So the
#     speed of PNGs depends on the system: zlib 1.2.13 needs 40 % more time than zlib-ng for the same data. auditwheel
#     leaves libz.so.1 out of all wheels: https://github.com/python-pillow/Pillow/issues/5986
# Output: (the version and the path depend on the system)
#     features.check("zlib_ng"): True, version 2.3.3
#     features.version("zlib"): 1.2.13
#     zlib in the wheel: []
#     loaded zlib: ['/usr/lib/x86_64-linux-gnu/libz.so.1.2.13']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: pillow==13.0.0
cat > "$folder/zlib_ng.py" <<'PY'
import sys
from pathlib import Path

import PIL
from PIL import Image, features

Image.new("L", (1, 1)).save("/dev/null", "PNG")
is_zlib_ng, version = features.check("zlib_ng"), features.version("zlib_ng")
libraries = Path(PIL.__file__).parents[1] / "pillow.libs"
in_wheel = sorted(file.name for file in libraries.iterdir() if file.name.startswith("libz") and "zstd" not in file.name)
loaded = sorted({line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libz.so" in line})
print(f'features.check("zlib_ng"): {is_zlib_ng}, version {version}')
print(f'features.version("zlib"): {features.version("zlib")}')
print(f"zlib in the wheel: {in_wheel}")
print(f"loaded zlib: {loaded}")
sys.exit(not is_zlib_ng or in_wheel != [] or any(str(libraries) in path for path in loaded) or not loaded)
PY
HOME="$folder" "$folder/venv/bin/python" "$folder/zlib_ng.py"
