"""What the stacks cost, computed from their templates."""
