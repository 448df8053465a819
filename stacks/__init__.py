"""The stacks: `<stem>.py` is one example (`ecs_ec2.py`), `<stem>_<part>.py` is a part of it, `_*.py` is shared code."""
