#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, cryptography 50.0.2, Python 3.11
# Expected: ministack imitates Cognito with the packages that it depends on. Or a sign-in fails, and names what is missing.
# Behaviour: the package cryptography is no dependency of ministack. Without it, a sign-in succeeds, and the header of the
#     token says RS256. But the signature is 32 random bytes, so ministack's own API Gateway answers 401 to each token.
#     The engine's log warns about KMS, but not about Cognito.
# Output: "without cryptography: RS256, signature of 32 bytes, the API answers 401"
#     "with cryptography: RS256, signature of 256 bytes, the API answers 200"
set -eu
folder=$(mktemp -d)
engine=
trap 'kill $engine 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip ministack==1.5.33 boto3==1.43.106
cat > "$folder/sign_in.py" <<'PY'
import base64
import json
import sys
import time
import urllib.error
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


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


cognito, gateway = client("cognito-idp"), client("apigateway")
found = cognito.create_user_pool(PoolName="demo")["UserPool"]
pool = {"UserPoolId": found["Id"]}
app = cognito.create_user_pool_client(**pool, ClientName="demo", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"])
user = {**pool, "Username": "ann"}
cognito.admin_create_user(**user, MessageAction="SUPPRESS")
cognito.admin_set_user_password(**user, Password="Correct-Horse-1", Permanent=True)
answer = cognito.admin_initiate_auth(
    **pool,
    ClientId=app["UserPoolClient"]["ClientId"],
    AuthFlow="ADMIN_USER_PASSWORD_AUTH",
    AuthParameters={"USERNAME": "ann", "PASSWORD": "Correct-Horse-1"},
)
token = answer["AuthenticationResult"]["IdToken"]
header, _, signature = token.split(".")

api = {"restApiId": gateway.create_rest_api(name="demo")["id"]}
(root,) = gateway.get_resources(**api)["items"]
authorizer = gateway.create_authorizer(
    **api,
    name="demo",
    type="COGNITO_USER_POOLS",
    providerARNs=[found["Arn"]],
    identitySource="method.request.header.Authorization",
)
method = {**api, "resourceId": root["id"], "httpMethod": "GET"}
gateway.put_method(**method, authorizationType="COGNITO_USER_POOLS", authorizerId=authorizer["id"])
gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
gateway.put_method_response(**method, statusCode="200")
gateway.put_integration_response(**method, statusCode="200")
gateway.create_deployment(**api, stageName="demo")
request = urllib.request.Request(f"{URL}/_aws/execute-api/{api['restApiId']}/demo/", headers={"Authorization": token})
try:
    status = urllib.request.urlopen(request).status
except urllib.error.HTTPError as error:
    status = error.code
seen = f"{json.loads(decoded(header))['alg']}, signature of {len(decoded(signature))} bytes, the API answers {status}"
print(f"{sys.argv[2]}: {seen}")
sys.exit(seen != sys.argv[3])
PY
sign_in() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    HOME="$folder" TMPDIR="$folder" STATE_DIR="$folder/state-$port" BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 \
        GATEWAY_PORT="$port" SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 "$folder/venv/bin/ministack" >"$folder/engine.log" 2>&1 &
    engine=$!
    "$folder/venv/bin/python" "$folder/sign_in.py" "$port" "$@"
    kill $engine
    wait $engine || true
}
sign_in "without cryptography" "RS256, signature of 32 bytes, the API answers 401"
pip cryptography==50.0.2
sign_in "with cryptography" "RS256, signature of 256 bytes, the API answers 200"
