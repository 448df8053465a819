#!/bin/sh
# Compiles every lock. `make lock` keeps the locked versions if possible; `make upgrade` takes the newest (--upgrade).
set -eu
newest=${1-}

compile() { uv pip compile --quiet --no-header --annotation-style line ${newest:+"$newest"} "$@"; }

compile pyproject.toml --group dev --universal --python-version 3.11 --output-file requirements-dev.txt
compile pyproject.toml --constraints requirements-dev.txt --universal --python-version 3.11 --output-file requirements.txt
compile pyproject.toml --group bench --constraints requirements-dev.txt --universal --python-version 3.11 \
    --output-file requirements-bench.txt

# Separate, because checkov needs older versions of boto3 and other packages.
compile --group checkov --universal --python-version 3.11 --output-file requirements-checkov.txt

# Lambda's Python runtime contains botocore and its dependencies.
for package in lambda_src/*/requirements.in; do
    compile "$package" --generate-hashes --only-binary :all: \
        --python-version 3.14 --python-platform aarch64-manylinux_2_28 \
        --no-emit-package botocore --no-emit-package jmespath --no-emit-package python-dateutil \
        --no-emit-package six --no-emit-package urllib3 \
        --output-file "${package%.in}.txt"
done

# Hashes of all files, because the image is built for two processors and tested on an older Python.
compile containers/web/requirements.in --generate-hashes --only-binary :all: --universal --python-version 3.11 \
    --no-emit-package colorama --output-file containers/web/requirements.txt

compile containers/batch/requirements.in --constraints requirements-dev.txt --generate-hashes --only-binary :all: \
    --universal --python-version 3.11 --output-file containers/batch/requirements.txt
