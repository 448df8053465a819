"""Make the skeleton of a new example: `python3 -m scripts.new worker`."""
