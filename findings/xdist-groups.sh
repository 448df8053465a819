#!/bin/sh
# Versions: pytest 9.2.0, pytest-xdist 3.8.0, Python 3.11
# Expected: with `--dist loadgroup`, all tests with the same `xdist_group` marker run in one process. The documentation says
#     this.
# Behaviour: the marker has no effect. xdist appends "@name" to the private attribute `_nodeid` of each item, but pytest
#     9.2 no longer builds `nodeid` from it. So the scheduler finds no groups, and prints no warning.
# Output: "processes that ran the group: 2" (1 with pytest 9.1.1)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat > "$folder/test_group.py" <<'PY'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(12))
def test_in_the_group(number: int) -> None:
    time.sleep(0.2)
    print(f"process {os.getpid()}", file=open("processes.txt", "a"))
PY
# Prints the number of processes that ran the group with this version of pytest.
count_processes() {
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0
    (cd "$folder" && rm -f processes.txt && venv/bin/python -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup >/dev/null)
    sort -u "$folder/processes.txt" | wc -l | tr -d ' '
}
old_count=$(count_processes 9.1.1)
new_count=$(count_processes 9.2.0)
echo "processes that ran the group: $new_count ($old_count with pytest 9.1.1)"
[ "$old_count" = 1 ] && [ "$new_count" = 2 ]
