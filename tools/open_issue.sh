#!/bin/sh
# Reports a failed scheduled run in a new issue. If such an issue is still open, the script adds a comment to that
# issue. The script needs the program gh, and the variables GH_TOKEN and RUN_URL.
set -eu

title="The scheduled run failed"
body="$RUN_URL

There are two possible causes:
- The support of a version that this project uses has ended, or ends within nine months. The failed test names the version.
- This project does not work with the newest CDK or packages. To see the failure on your machine, run:
  make upgrade && make snapshots && make test"

number=$(gh issue list --state open --search "in:title \"$title\"" --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
    gh issue comment "$number" --body "$body"
else
    gh issue create --title "$title" --body "$body"
fi
