"""A small web service that shows where it runs."""
