#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, Python 3.11
# Expected: an asynchronous event waits while the function has no free concurrency. Only errors of the function use up
#     its two retries. Lambda tries a throttled event again for up to six hours.
#     https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
# Behaviour: the local Lambda counts a throttled attempt as a failed one. It makes three attempts within about three
#     seconds and sends the event to the dead-letter queue. The event never reaches the function, although the function
#     is free again a few seconds later.
# Output: "dead letter after 3 s: TooManyRequestsException after 3 attempts; the function handled ['first']"
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
cat > "$folder/throttle.py" <<'PY'
import io
import json
import sys
import time
import urllib.request
import zipfile

import boto3

URL, RECORD = f"http://127.0.0.1:{sys.argv[1]}", sys.argv[2]
BUSY_SECONDS = 10
HANDLER = """
import time

def handler(event, context):
    print(event["name"], file=open(event["record"], "a"))
    time.sleep(event["seconds"])
"""
for _ in range(150):
    try:
        urllib.request.urlopen(f"{URL}/_ministack/health", timeout=2)
        break
    except OSError:
        time.sleep(0.2)


def client(service: str):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=URL, region_name="us-east-1", **keys)


def send_event(name: str, seconds: int) -> None:
    payload = json.dumps({"name": name, "seconds": seconds, "record": RECORD})
    functions.invoke(FunctionName="demo", InvocationType="Event", Payload=payload)


functions, queues = client("lambda"), client("sqs")
queue = queues.create_queue(QueueName="dead-letters")["QueueUrl"]
queue_arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("demo.py", HANDLER)
functions.create_function(
    FunctionName="demo",
    Runtime="python3.12",
    Role="arn:aws:iam::000000000000:role/demo",
    Handler="demo.handler",
    Code={"ZipFile": code.getvalue()},
    Timeout=60,
    DeadLetterConfig={"TargetArn": queue_arn},
)
functions.put_function_concurrency(FunctionName="demo", ReservedConcurrentExecutions=1)
send_event("first", BUSY_SECONDS)
time.sleep(2)
start = time.monotonic()
send_event("second", 0)
messages = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", [])
seconds = round(time.monotonic() - start)
time.sleep(BUSY_SECONDS)
handled = open(RECORD).read().split()
if not messages:
    sys.exit(f"no dead letter within {seconds} s; the function handled {handled}")
letter = json.loads(messages[0]["Body"])
error, attempts = letter["responsePayload"]["__type"], letter["requestContext"]["approximateInvokeCount"]
print(f"dead letter after {seconds} s: {error} after {attempts} attempts; the function handled {handled}")
sys.exit((error, attempts, handled) != ("TooManyRequestsException", 3, ["first"]) or seconds >= BUSY_SECONDS)
PY
"$folder/venv/bin/python" "$folder/throttle.py" "$port" "$folder/record.txt"
