"""The program of `make local`. It deploys every example into the local AWS and shows each one at work.

The local AWS is a program that imitates AWS on this machine. The exercise of an example shows the example at work.
"""
