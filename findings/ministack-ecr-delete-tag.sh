#!/bin/sh
# Versions: ministack 1.5.33, boto3 1.43.106, Python 3.11
# Expected: BatchDeleteImage with an imageTag removes only this tag from the image. AWS deletes the image when its last
#     tag is removed. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
# Behaviour: ministack deletes the image with all its tags.
# Output:
#     before: tags 1.0 and latest
#     after deleting the tag latest: no image
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.43.106 ministack==1.5.33
cat > "$folder/tags.py" <<'PY'
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3

folder = Path(sys.argv[1])
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
endpoint = f"http://127.0.0.1:{port}"
settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SFTP_ENABLED": "0", "TMPDIR": str(folder)}
engine = subprocess.Popen(
    [sys.executable, "-m", "ministack"],
    cwd=folder,
    env={**os.environ, **settings},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
try:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        try:
            opener.open(f"{endpoint}/_ministack/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ecr = boto3.client("ecr", endpoint_url=endpoint, region_name="us-east-1", **keys)
    ecr.create_repository(repositoryName="demo")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "sha256:" + "0" * 64},
        "layers": [],
    }
    for tag in ("1.0", "latest"):
        ecr.put_image(repositoryName="demo", imageManifest=json.dumps(manifest), imageTag=tag)

    def tags():
        return sorted(tag for image in ecr.describe_images(repositoryName="demo")["imageDetails"] for tag in image["imageTags"])

    before = tags()
    print(f"before: tags {' and '.join(before)}")
    ecr.batch_delete_image(repositoryName="demo", imageIds=[{"imageTag": "latest"}])
    after = tags()
    print(f"after deleting the tag latest: {after or 'no image'}")
finally:
    engine.terminate()
    engine.wait()
sys.exit(0 if (before, after) == (["1.0", "latest"], []) else 1)
PY
"$folder/venv/bin/python" "$folder/tags.py" "$folder"
