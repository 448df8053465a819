#!/bin/sh
# Versions: aws-lambda-powertools 3.37.0, Python 3.11
# Expected: the import of `Response`, a class with a status, headers and a body, loads the modules of HTTP events at most.
# Behaviour: it also loads event classes of other services, such as Kafka and SES, and asyncio. A function pays for
#     this at each cold start, even if it only needs a router for API Gateway.
# Output:
#     event classes of other services: kafka_event, ses_event
#     asyncio: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0
cat > "$folder/modules.py" <<'PY'
import sys

assert "asyncio" not in sys.modules
from aws_lambda_powertools.event_handler import Response  # noqa: F401

prefix = "aws_lambda_powertools.utilities.data_classes."
others = [name for name in ("kafka_event", "ses_event") if prefix + name in sys.modules]
print(f"event classes of other services: {', '.join(others) or 'none'}")
print(f"asyncio: {'asyncio' in sys.modules}")
sys.exit(0 if len(others) == 2 and "asyncio" in sys.modules else 1)
PY
"$folder/venv/bin/python" "$folder/modules.py"
