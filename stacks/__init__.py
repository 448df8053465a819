"""One example, one file; files that begin with an underscore are shared."""
