#!/bin/sh
# Versions: botocore 1.43.106, boto3 1.43.106, Python 3.11
# Expected: the answer to ListObjectsV2 is an XML document with the element `ListBucketResult`. An empty body is not an
#     XML document, so an answer with the status 200 and an empty body is an error, and botocore tries again.
#     https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
# Behaviour: botocore tries again if the body is half a document. But it accepts an empty body at once. Then the answer
#     has no objects, as for an empty bucket. Only the missing `KeyCount` and `IsTruncated` show the difference.
# Output: "empty-bucket: no objects, KeyCount is 0, requests: 1"
#     "empty-body: no objects, KeyCount is missing, requests: 1"
#     "half-document: ClientError 500, requests: 5"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.43.106 botocore==1.43.106
cat > "$folder/empty.py" <<'PY'
import http.server
import sys
import threading

import boto3
from botocore.exceptions import ClientError

DOCUMENT = b"<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
BODIES = {"empty-bucket": DOCUMENT, "empty-body": b"", "half-document": DOCUMENT[: len(DOCUMENT) // 2]}
requests = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the body that belongs to the name of the bucket."""

    def do_GET(self) -> None:
        bucket = self.path.strip("/").split("?")[0]
        requests.append(bucket)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODIES[bucket])))
        self.end_headers()
        self.wfile.write(BODIES[bucket])

    def log_message(self, *arguments: object) -> None:
        pass


def list_objects(bucket: str) -> str:
    try:
        answer = client.list_objects_v2(Bucket=bucket)
    except ClientError as error:
        return f"ClientError {error.response['Error']['Code']}"
    objects = answer.get("Contents", "no objects")
    return f"{objects}, KeyCount is {answer.get('KeyCount', 'missing')}"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="us-east-1", **keys)
results = []
for bucket in BODIES:
    result = list_objects(bucket)
    results.append(f"{result}, requests: {requests.count(bucket)}")
    print(f"{bucket}: {results[-1]}")
expected = [
    "no objects, KeyCount is 0, requests: 1",
    "no objects, KeyCount is missing, requests: 1",
    "ClientError 500, requests: 5",
]
sys.exit(results != expected)
PY
HOME="$folder" "$folder/venv/bin/python" "$folder/empty.py"
