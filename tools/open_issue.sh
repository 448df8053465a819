#!/bin/sh
# Tells of a scheduled run that failed: in a new issue, or in the one that is still open. Needs gh, GH_TOKEN and RUN_URL.
set -eu

title="The scheduled run failed"
body="$RUN_URL

Either something that is used has reached the end of its support, which a test names, or does within nine months; or this
project does not go with the newest CDK or packages. To see the latter here: make upgrade && make snapshots && make test"

number=$(gh issue list --state open --search "in:title \"$title\"" --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
    gh issue comment "$number" --body "$body"
else
    gh issue create --title "$title" --body "$body"
fi
