"""The reason for which an intact picture is rejected."""


class Unsupported(Exception):  # noqa: N818 - a result for the uploader, not an error of the program
    """The file is intact, but the decoder lacks a feature for it."""
