"""The CDK app with the settings of the local AWS. After `. .local/env`, the CDK CLI runs this app in place of app.py.

A setting on the command line (`cdk deploy -c name=value`) still replaces the value of the local AWS.
"""

import sys

from app import build_app
from local.shell import exported_context
from settings_checks import ConfigError
from stacks._requirements import BundlingError

if __name__ == "__main__":
    try:
        build_app(exported_context()).synth()
    except (ConfigError, BundlingError) as error:
        sys.exit(f"error: {error}")
