#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, Python 3.11
# Expected: `Ref` of an AWS::ApiGatewayV2::Route is the id of the route, as for AWS::ApiGatewayV2::Stage it is the name.
#     Other resources, such as AWS::ApiGatewayV2::RouteResponse, need this id in their property RouteId.
#     https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-route.html
# Behaviour: the value also contains the id of the API and a slash. So get_route does not find the route.
# Output: "Ref of the route: <api id>/<route id>"
#     "get_route with Ref: NotFoundException, get_route with the end of Ref: $default"
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
cat > "$folder/route.py" <<'PY'
import json
import sys
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError

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


api = {"ApiId": {"Ref": "Api"}}
resources = {
    "Api": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Name": "demo", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"},
    },
    "Route": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {**api, "RouteKey": "$default"}},
}
outputs = {name: {"Value": {"Ref": name}} for name in resources}
cloudformation = client("cloudformation")
cloudformation.create_stack(StackName="demo", TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}))
cloudformation.get_waiter("stack_create_complete").wait(StackName="demo", WaiterConfig={"Delay": 1})
(stack,) = cloudformation.describe_stacks(StackName="demo")["Stacks"]
refs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
gateway = client("apigatewayv2")


def get_route(route_id: str) -> str:
    try:
        return gateway.get_route(ApiId=refs["Api"], RouteId=route_id)["RouteKey"]
    except ClientError as error:
        return error.response["Error"]["Code"]


api_id, _, route_id = refs["Route"].rpartition("/")
print("Ref of the route:", refs["Route"].replace(refs["Api"], "<api id>").replace(route_id, "<route id>"))
print(f"get_route with Ref: {get_route(refs['Route'])}, get_route with the end of Ref: {get_route(route_id)}")
sys.exit(not (api_id == refs["Api"] and get_route(route_id) == "$default"))
PY
"$folder/venv/bin/python" "$folder/route.py" "$port"
