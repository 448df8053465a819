#!/bin/sh
# Compiles every lock: a requirements file with the exact versions of all packages. `make lock` keeps the versions in the
# locks if possible. `make upgrade` calls this script with --upgrade, which writes the newest versions into the locks.
# An extracted example has only some of these locks.
set -eu
upgrade_option=${1-}

compile() { uv pip compile --quiet --no-header --annotation-style line ${upgrade_option:+"$upgrade_option"} "$@"; }

compile pyproject.toml --group dev --universal --python-version 3.11 --output-file requirements-dev.txt
compile pyproject.toml --constraints requirements-dev.txt --universal --python-version 3.11 --output-file requirements.txt
[ ! -e requirements-bench.txt ] || compile pyproject.toml --group bench --constraints requirements-dev.txt --universal \
    --python-version 3.11 --output-file requirements-bench.txt

# checkov has a lock of its own, because it needs older versions of boto3 and other packages.
[ ! -e requirements-checkov.txt ] || compile --group checkov --universal --python-version 3.11 \
    --output-file requirements-checkov.txt

# This lock has no dependencies, because only the files in the package are used. It contains a program, so pip checks the
# hash.
[ ! -e requirements-guard.txt ] || compile --group guard --no-deps --generate-hashes --only-binary :all: --universal \
    --python-version 3.11 --output-file requirements-guard.txt

# These locks leave out botocore and its dependencies, because Lambda's Python runtime contains them.
for package in lambda_src/*/requirements.in; do
    [ ! -e "$package" ] || compile "$package" --generate-hashes --only-binary :all: \
        --python-version 3.14 --python-platform aarch64-manylinux_2_28 \
        --no-emit-package botocore --no-emit-package jmespath --no-emit-package python-dateutil \
        --no-emit-package six --no-emit-package urllib3 \
        --output-file "${package%.in}.txt"
done

# These locks have the hashes for all platforms, because the images are built for two processors, and the tests use an
# older Python.
compile containers/web/requirements.in --generate-hashes --only-binary :all: --universal --python-version 3.11 \
    --no-emit-package colorama --output-file containers/web/requirements.txt

[ ! -e containers/batch ] || compile containers/batch/requirements.in --constraints requirements-dev.txt \
    --generate-hashes --only-binary :all: --universal --python-version 3.11 --output-file containers/batch/requirements.txt
