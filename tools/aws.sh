#!/bin/sh
# The set-up copies this script to .venv/bin/aws. The script that pip installs there does not start if the path of the
# project contains a space.
exec "$(dirname "$0")/python" -m awscli "$@"
