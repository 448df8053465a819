"""Reads pictures of all formats, and converts and encodes them. The module thumbnail.imaging uses these modules."""
