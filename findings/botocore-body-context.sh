#!/bin/sh
# Versions: botocore 1.43.106, boto3 1.43.106, urllib3 2.8.0, Python 3.11
# Expected: `with response["Body"] as body` assigns botocore's stream to `body`, as `with` does for files and sockets.
#     botocore's stream compares the length and the checksum with the answer's headers. Its errors are BotoCoreError.
# Behaviour: `body` is urllib3's stream. It does not check the checksum, and its errors are not BotoCoreError. So
#     `except BotoCoreError` does not catch the error of a broken connection. `contextlib.closing` keeps botocore's
#     stream. The maintainers say that this is intentional, but the documentation does not mention it.
#     https://github.com/boto/botocore/issues/3564
# Output:
#     response["Body"]: botocore.httpchecksum.StreamingChecksumBody
#     with: urllib3.response.HTTPResponse
#     with closing: botocore.httpchecksum.StreamingChecksumBody
#     with, after half a body: urllib3.exceptions.ProtocolError, a BotoCoreError: False
#     with closing, after half a body: botocore.exceptions.ResponseStreamingError, a BotoCoreError: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.43.106 botocore==1.43.106 urllib3==2.8.0
cat > "$folder/body.py" <<'PY'
import base64
import contextlib
import http.server
import sys
import threading
import zlib
from collections.abc import Callable

import boto3
from botocore.exceptions import BotoCoreError

BODY = b"x" * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the body, or with half of it if the key is `half`."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("x-amz-checksum-crc32", base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode())
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if self.path.startswith("/demo/half") else BODY)

    def log_message(self, *arguments: object) -> None:
        pass


def full_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__name__}"


def get_body(key: str):
    return client.get_object(Bucket="demo", Key=key)["Body"]


def error_of_read(manager: Callable) -> Exception:
    try:
        with manager(get_body("half")) as body:
            body.read()
    except Exception as error:
        return error
    raise AssertionError("half a body is no error")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="us-east-1", **keys)

body = get_body("whole")
types = [full_name(body)]
with body as entered:
    types.append(full_name(entered))
with contextlib.closing(get_body("whole")) as entered:
    types.append(full_name(entered))
for label, name in zip(('response["Body"]', "with", "with closing"), types, strict=True):
    print(f"{label}: {name}")
errors = [error_of_read(lambda body: body), error_of_read(contextlib.closing)]
are_botocore = [isinstance(error, BotoCoreError) for error in errors]
for label, error, is_botocore in zip(("with", "with closing"), errors, are_botocore, strict=True):
    print(f"{label}, after half a body: {full_name(error)}, a BotoCoreError: {is_botocore}")
botocore_body, urllib3_body = "botocore.httpchecksum.StreamingChecksumBody", "urllib3.response.HTTPResponse"
sys.exit(types != [botocore_body, urllib3_body, botocore_body] or are_botocore != [False, True])
PY
HOME="$folder" "$folder/venv/bin/python" "$folder/body.py"
