"""What holds for every stack, read from its template alone.

A contract is a module here with a function `faults(template)`: one sentence for each fault, none when it is kept. Every
stack is held to it in every profile, or in those that the module's `HELD_IN` names. mutations.py has the changes that
each contract must notice.
"""
