"""The set-up: it installs uv, Node, the Python packages, the CDK CLI and the packages of the functions."""
