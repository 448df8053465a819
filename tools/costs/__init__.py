"""The costs of the stacks, computed from their templates."""
