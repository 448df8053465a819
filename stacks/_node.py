"""Set how jsii starts Node. Import this module before aws_cdk, because the import of aws_cdk starts Node."""

import os
from pathlib import Path

if os.name == "posix":
    os.environ.setdefault("JSII_NODE", str(Path(__file__).with_name("node.sh")))
