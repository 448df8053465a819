#!/bin/sh
# Reports a failed scheduled run in a new issue. If such an issue is still open, the script adds a comment to it.
# It needs the program gh, and the variables GH_TOKEN and RUN_URL.
set -eu

title="The scheduled run failed"
body="$RUN_URL

There are two possible causes. AWS or somebody else has ended the support of something in use, or will end it within nine
months; the failed test says of what. Or this project does not work with the newest CDK or packages; to see this on your machine:
make upgrade && make snapshots && make test"

number=$(gh issue list --state open --search "in:title \"$title\"" --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
    gh issue comment "$number" --body "$body"
else
    gh issue create --title "$title" --body "$body"
fi
