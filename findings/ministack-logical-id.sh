#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, Python 3.11
# Expected: a stack update that renames a logical id and keeps the resource's own name fails. CloudFormation creates the
#     new resource first and deletes the old one last. A name can exist only once, so the creation fails, the update
#     rolls back and the table keeps its items.
#     https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
#     https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
# Behaviour: the local CloudFormation accepts the existing table as the new resource. Then it deletes the old resource,
#     which is the same table. The update succeeds, and the stack lists a table that no longer exists. The update with a
#     bucket rolls back as on AWS.
# Output: "table: UPDATE_COMPLETE, the stack lists ['demo'], there are []"
#     "bucket: UPDATE_ROLLBACK_COMPLETE, the stack lists ['demo-bucket'], there are ['demo-bucket']"
set -eu
folder=$(mktemp -d)
engine=
trap 'kill $engine 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
HOME="$folder" TMPDIR="$folder" BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$port" SFTP_ENABLED=0 \
    IOT_MTLS_ENABLED=0 "$folder/venv/bin/ministack" >"$folder/engine.log" 2>&1 &
engine=$!
cat > "$folder/rename.py" <<'PY'
import json
import sys
import time
import urllib.request

import boto3

URL = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(150):
    try:
        urllib.request.urlopen(f"{URL}/_ministack/health", timeout=2)
        break
    except OSError:
        time.sleep(0.2)


def client(service: str):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=URL, region_name="us-east-1", **keys)


cloudformation = client("cloudformation")


def wait_for_stack(stack: str) -> str:
    for _ in range(150):
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if not status.endswith("IN_PROGRESS"):
            return status
        time.sleep(0.2)
    raise TimeoutError(stack)


def rename(stack: str, resource: dict) -> tuple[str, list[str]]:
    """Deploy the resource as `Before` and again as `After`; return the status and the names in the stack."""
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": {"Before": resource}}))
    assert wait_for_stack(stack) == "CREATE_COMPLETE"
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps({"Resources": {"After": resource}}))
    time.sleep(1)
    status = wait_for_stack(stack)
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return status, [resource["PhysicalResourceId"] for resource in resources]


table_properties = {
    "TableName": "demo",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
table = rename("table", {"Type": "AWS::DynamoDB::Table", "Properties": table_properties})
bucket = rename("bucket", {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "demo-bucket"}})
tables = client("dynamodb").list_tables()["TableNames"]
buckets = [entry["Name"] for entry in client("s3").list_buckets()["Buckets"]]
print(f"table: {table[0]}, the stack lists {table[1]}, there are {tables}")
print(f"bucket: {bucket[0]}, the stack lists {bucket[1]}, there are {buckets}")
same = (*table, tables) == ("UPDATE_COMPLETE", ["demo"], [])
same &= (*bucket, buckets) == ("UPDATE_ROLLBACK_COMPLETE", ["demo-bucket"], ["demo-bucket"])
sys.exit(not same)
PY
"$folder/venv/bin/python" "$folder/rename.py" "$port"
