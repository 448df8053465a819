"""Contracts are rules that every stack must follow. Tests check them on every template.

A contract is a module with a function `faults(template)`, which returns the faults. A fault is a sentence about one
place in a template that breaks the rule. The tests check every stack in every profile. If a module defines
`CONTRACT_PROFILES`, its contract holds only in these profiles. mutations.py lists mistakes in templates, and the
contract that must notice each mistake.
"""
