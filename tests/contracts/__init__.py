"""Contracts: rules that every stack must follow, checked on its template.

A contract is a module with a function `faults(template)`, which returns one sentence for each fault. The tests check
every stack in every profile, or only in the profiles that the module's `HELD_IN` names. mutations.py lists mistakes
that each contract must notice.
"""
