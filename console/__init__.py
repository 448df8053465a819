"""The local console: web pages that show the deployed examples at work, with real data from AWS.

`make local` starts it for the local AWS. `python -m console` shows the same pages for the stacks in a real account.
"""
