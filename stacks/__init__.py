"""The examples: `<stem>.py`, and `<stem>_<part>.py` for a part of it. Several stacks share the files `_*.py`."""
