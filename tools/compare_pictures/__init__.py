"""Compares our thumbnails of a folder of pictures with the thumbnails of two other programs."""

import sys
from pathlib import Path

# The code of the thumbnail function is not installed, because it is bundled for Lambda.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lambda_src"))
