#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, Python 3.11
# Expected: a target is an address and a port. One address can be in a target group several times, each time with
#     another port. To remove one of the targets, the request names its port.
#     https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
#     https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
# Behaviour: the local load balancer compares only the addresses. It ignores the second port and reports no error. Then
#     a request that removes the second port removes the first one, and the target group is empty.
# Output: "registered 8001 and 8002: [8001]"
#     "then removed 8002: []"
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
cat > "$folder/targets.py" <<'PY'
import sys
import time
import urllib.request

import boto3

URL, ADDRESS = f"http://127.0.0.1:{sys.argv[1]}", "10.0.0.10"
for _ in range(150):
    try:
        urllib.request.urlopen(f"{URL}/_ministack/health", timeout=2)
        break
    except OSError:
        time.sleep(0.2)


def client(service: str):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=URL, region_name="us-east-1", **keys)


balancers = client("elbv2")
network = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
group = balancers.create_target_group(Name="demo", Protocol="HTTP", Port=80, VpcId=network, TargetType="ip")
group_arn = group["TargetGroups"][0]["TargetGroupArn"]


def list_ports() -> list[int]:
    targets = balancers.describe_target_health(TargetGroupArn=group_arn)["TargetHealthDescriptions"]
    return [target["Target"]["Port"] for target in targets]


for port in (8001, 8002):
    balancers.register_targets(TargetGroupArn=group_arn, Targets=[{"Id": ADDRESS, "Port": port}])
registered = list_ports()
balancers.deregister_targets(TargetGroupArn=group_arn, Targets=[{"Id": ADDRESS, "Port": 8002}])
left = list_ports()
print(f"registered 8001 and 8002: {registered}")
print(f"then removed 8002: {left}")
sys.exit((registered, left) != ([8001], []))
PY
"$folder/venv/bin/python" "$folder/targets.py" "$port"
