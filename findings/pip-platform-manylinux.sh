#!/bin/sh
# Versions: pip 26.3, awslambdaric 4.2.2, Python 3.11
# Expected: `pip download --platform manylinux_2_28_x86_64` finds the wheel of awslambdaric, whose tags are
#     manylinux_2_17 and manylinux2014. A machine with glibc 2.28 can run a wheel for glibc 2.17 (PEP 600).
# Behaviour: pip finds no wheel, because it compares the text of the tag. `--platform manylinux2014_x86_64` finds the
#     wheel. So an option for each older tag is necessary. uv accepts older tags by itself.
#     https://peps.python.org/pep-0600/
# Output:
#     manylinux_2_28_x86_64: no wheel
#     manylinux2014_x86_64: awslambdaric-4.2.2-cp314-cp314-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pip==26.3
wheel_for() {
    "$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --python-version 3.14 --platform "$1" --dest "$folder/$1" awslambdaric==4.2.2 2> /dev/null || true
    echo "$1: $(ls "$folder/$1" 2> /dev/null | grep . || echo no wheel)"
}
found=$(wheel_for manylinux_2_28_x86_64; wheel_for manylinux2014_x86_64)
echo "$found"
echo "$found" | grep -q '2_28_x86_64: no wheel' && echo "$found" | grep -q 'manylinux2014_x86_64: awslambdaric'
