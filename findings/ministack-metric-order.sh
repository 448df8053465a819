#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, Python 3.11
# Expected: without ScanBy, GetMetricData returns the newest value first, as AWS does. With ScanBy=TimestampAscending, it
#     returns the oldest value first.
#     https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
# Behaviour: ministack ignores ScanBy, and always returns the oldest value first.
# Output:
#     without ScanBy: [1.0, 2.0]
#     TimestampDescending: [1.0, 2.0]
#     TimestampAscending: [1.0, 2.0]
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
cat > "$folder/order.py" <<'PY'
import datetime as dt
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
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
cloudwatch = boto3.client("cloudwatch", endpoint_url=URL, region_name="us-east-1", **keys)
end = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
times = [end - dt.timedelta(minutes=minutes) for minutes in (20, 10)]
for value, moment in enumerate(times, start=1):
    cloudwatch.put_metric_data(
        Namespace="Demo", MetricData=[{"MetricName": "Orders", "Value": value, "Timestamp": moment}]
    )
query = {
    "Id": "orders",
    "MetricStat": {"Metric": {"Namespace": "Demo", "MetricName": "Orders"}, "Period": 60, "Stat": "Sum"},
}


def values(**options: str) -> list[float]:
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[query], StartTime=end - dt.timedelta(hours=1), EndTime=end, **options
    )
    return answer["MetricDataResults"][0]["Values"]


found = [values(), values(ScanBy="TimestampDescending"), values(ScanBy="TimestampAscending")]
for name, list_ in zip(("without ScanBy", "TimestampDescending", "TimestampAscending"), found, strict=True):
    print(f"{name}: {list_}")
sys.exit(found != [[1.0, 2.0]] * 3)
PY
"$folder/venv/bin/python" "$folder/order.py" "$port"
