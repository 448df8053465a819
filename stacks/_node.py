"""Set how jsii starts Node. Import this module before aws_cdk, because the import of aws_cdk starts Node."""

import os
import shutil
import sys
from pathlib import Path

if shutil.which("node") is None:
    # The set-up has installed Node beside Python, and a shell finds it there only after `. .venv/bin/activate`.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
if os.name == "posix":
    os.environ.setdefault("JSII_NODE", str(Path(__file__).with_name("node.sh")))
