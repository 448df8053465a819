#!/bin/sh
# Reports a failed scheduled run in a new issue, or in a comment if an issue is still open.
# Needs gh, GH_TOKEN and RUN_URL.
set -eu

title="The scheduled run failed"
body="$RUN_URL

There are two possible causes. Something in use has reached the end of its support, or will reach it within nine months; a
test names it. Or this project does not work with the newest CDK or packages; to see this on your machine:
make upgrade && make snapshots && make test"

number=$(gh issue list --state open --search "in:title \"$title\"" --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
    gh issue comment "$number" --body "$body"
else
    gh issue create --title "$title" --body "$body"
fi
