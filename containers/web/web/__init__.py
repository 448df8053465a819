"""A small web service with a page that shows where it runs."""
