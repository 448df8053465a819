#!/bin/sh
# Versions: aws-croniter 2.1.1, Python 3.11
# Expected: `0 9 ? * L *` runs each Saturday, because L in the day-of-week field is the last day of the week for AWS.
#     https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
# Behaviour: the package accepts the expression, but finds no next time, and reports no error. It accepts `7L`, which is
#     the last Saturday of a month. So a program that uses the package must treat "no next time" as "not known".
# Output:
#     0 9 ? * L *: [None]
#     0 9 ? * 7L *: [datetime.datetime(2026, 12, 26, 9, 0, tzinfo=datetime.timezone.utc)]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-croniter==2.1.1
found=$("$folder/venv/bin/python" - <<'PROGRAM'
from datetime import UTC, datetime
from aws_croniter import AwsCroniter
for expression in ("0 9 ? * L *", "0 9 ? * 7L *"):
    print(f"{expression}: {AwsCroniter(expression).get_next(datetime(2026, 11, 29, 12, 0, tzinfo=UTC))}")
PROGRAM
)
echo "$found"
echo "$found" | grep -qF 'L *: [None]' && echo "$found" | grep -qF '7L *: [datetime.datetime(2026, 12, 26'
