"""The error for pictures of a supported format that the decoder cannot read."""


class UnsupportedError(Exception):
    """The file is intact, but the decoder lacks a feature for it. `str()` names the feature, for the log."""
