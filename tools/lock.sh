#!/bin/sh
# Compiles every lock: a requirements file with the exact versions of all packages, and with the hashes of their wheels.
# This script keeps the versions in the locks if possible. With --upgrade, it writes the newest versions into the locks. An extracted example has only some of these locks.
set -eu
upgrade_option=${1-}

compile() {
    uv pip compile --quiet --no-header --annotation-style line --generate-hashes ${upgrade_option:+"$upgrade_option"} "$@"
}

# A lock has no hashes of source packages, because the build of one runs programs that have no hash in the lock.
compile_wheels() { compile --only-binary :all: "$@"; }

# The commands run on every platform and on every supported Python.
compile_for_users() { compile_wheels --universal --python-version 3.11 "$@"; }

compile_for_users pyproject.toml --group dev --output-file requirements-dev.txt
compile_for_users pyproject.toml --constraints requirements-dev.txt --group local --output-file requirements-local.txt
compile_for_users pyproject.toml --constraints requirements-dev.txt --output-file requirements.txt

# pyvips has no wheel. Only comparisons of thumbnails need it.
[ ! -e requirements-bench.txt ] || compile pyproject.toml --constraints requirements-dev.txt --group bench --universal \
    --python-version 3.11 --output-file requirements-bench.txt

# The set-up installs uv with pip, and all other packages with uv.
echo uv | compile_for_users - --constraints requirements-dev.txt --no-annotate --output-file requirements-uv.txt

# checkov has a lock of its own, because it needs older versions of boto3 and other packages.
[ ! -e requirements-checkov.txt ] || compile_for_users --group checkov --output-file requirements-checkov.txt

# This lock has no dependencies, because only the files in the package are used.
[ ! -e requirements-guard.txt ] || compile_for_users --group guard --no-deps --output-file requirements-guard.txt

# These locks leave out botocore and its dependencies, because Lambda's Python runtime contains them.
for package in lambda_src/*/requirements.in; do
    [ ! -e "$package" ] || compile_wheels "$package" --python-version 3.14 --python-platform aarch64-manylinux_2_28 \
        --no-emit-package botocore --no-emit-package jmespath --no-emit-package python-dateutil \
        --no-emit-package six --no-emit-package urllib3 \
        --output-file "${package%.in}.txt"
done

# These locks have the hashes for all platforms, because the images are built for two processors, and the tests use an
# older Python.
compile_for_users containers/web/requirements.in --no-emit-package colorama --output-file containers/web/requirements.txt
[ ! -e containers/batch ] || compile_for_users containers/batch/requirements.in --constraints requirements-dev.txt \
    --output-file containers/batch/requirements.txt
[ ! -e containers/function_image ] || compile_for_users containers/function_image/requirements.in \
    --constraints requirements-dev.txt --output-file containers/function_image/requirements.txt
