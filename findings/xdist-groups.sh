#!/bin/sh
# Versions: pytest 9.2.0, pytest-xdist 3.8.0, Python 3.11
# Guess: with `--dist loadgroup`, all tests that carry the same `xdist_group` marker run in one process, as documented.
# Behaviour: the marker has no effect. xdist appends "@name" to the private attribute `_nodeid` of each item, but pytest
#     9.2 no longer builds `nodeid` from it. So the scheduler never sees a group, and nothing warns about it.
# Output seen: "processes that ran the group: 2" (1 with pytest 9.1.1)
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
processes_with() {
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0
    (cd "$folder" && rm -f processes.txt && venv/bin/python -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup >/dev/null)
    sort -u "$folder/processes.txt" | wc -l | tr -d ' '
}
before=$(processes_with 9.1.1)
now=$(processes_with 9.2.0)
echo "processes that ran the group: $now ($before with pytest 9.1.1)"
[ "$before" = 1 ] && [ "$now" = 2 ]
