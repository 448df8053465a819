#!/bin/sh
# Compiles every lock: `make lock` keeps what is locked where it can, `make upgrade` takes the newest (--upgrade).
set -eu
newest=${1-}

compile() { uv pip compile --quiet --no-header --annotation-style line ${newest:+"$newest"} "$@"; }

compile pyproject.toml --group dev --universal --python-version 3.11 --output-file requirements-dev.txt
compile pyproject.toml --constraints requirements-dev.txt --universal --python-version 3.11 --output-file requirements.txt
compile pyproject.toml --group bench --constraints requirements-dev.txt --universal --python-version 3.11 \
    --output-file requirements-bench.txt

# By itself: it holds boto3 and others back.
compile --group checkov --universal --python-version 3.11 --output-file requirements-checkov.txt

# botocore and what it needs come with Lambda's Python runtime.
for package in lambda_src/*/requirements.in; do
    compile "$package" --generate-hashes --only-binary :all: \
        --python-version 3.14 --python-platform aarch64-manylinux_2_28 \
        --no-emit-package botocore --no-emit-package jmespath --no-emit-package python-dateutil \
        --no-emit-package six --no-emit-package urllib3 \
        --output-file "${package%.in}.txt"
done

# Every hash of every file: the image is built for two processors, and tried out on an older Python.
compile containers/web/requirements.in --generate-hashes --only-binary :all: --universal --python-version 3.11 \
    --no-emit-package colorama --output-file containers/web/requirements.txt

compile containers/batch/requirements.in --constraints requirements-dev.txt --generate-hashes --only-binary :all: \
    --universal --python-version 3.11 --output-file containers/batch/requirements.txt
