#!/bin/sh
# Versions: aws-xray-sdk 2.15.0, botocore 1.43.106, Python 3.11
# Expected: if a call to AWS fails, the SDK marks the call's subsegment as failed, and stores the error in it.
# Behaviour: only an error that AWS answers (ClientError) marks the subsegment. If AWS cannot be reached, the subsegment
#     has neither `fault` nor `cause`. So the trace shows a call that succeeded.
#     https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors
# Output:
#     answer 400: error=True cause=True
#     no connection: error=False fault=False cause=False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-xray-sdk==2.15.0 botocore==1.43.106
cat > "$folder/calls.py" <<'PY'
import http.server
import json
import socket
import sys
import threading
import warnings

warnings.simplefilter("ignore")

import botocore.session
from aws_xray_sdk.core import patch, xray_recorder
from botocore.config import Config

BODY = json.dumps({"__type": "ResourceNotFoundException", "message": "no such table"}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(400)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *arguments: object) -> None:
        pass


class Collector:
    """Keeps the segments instead of sending them to the X-Ray daemon."""

    segments: list = []

    def send_entity(self, entity) -> None:
        self.segments.append(entity.to_dict())

    def set_daemon_address(self, address) -> None:
        pass


def subsegment_of_call(port: int) -> dict:
    client = botocore.session.get_session().create_client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    xray_recorder.begin_segment("demo")
    try:
        client.describe_table(TableName="demo")
    except Exception:
        pass
    xray_recorder.end_segment()
    (subsegment,) = Collector.segments.pop()["subsegments"]
    return subsegment


xray_recorder.configure(emitter=Collector(), sampling=False, context_missing="IGNORE_ERROR")
patch(["botocore"])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    closed_port = probe.getsockname()[1]
answered, unreachable = subsegment_of_call(server.server_port), subsegment_of_call(closed_port)
found = (answered.get("error", False), "cause" in answered)
missing = (unreachable.get("error", False), unreachable.get("fault", False), "cause" in unreachable)
print(f"answer 400: error={found[0]} cause={found[1]}")
print(f"no connection: error={missing[0]} fault={missing[1]} cause={missing[2]}")
sys.exit(0 if (found, missing) == ((True, True), (False, False, False)) else 1)
PY
"$folder/venv/bin/python" "$folder/calls.py"
