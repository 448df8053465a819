"""The diagrams of the lessons, drawn from the templates."""
