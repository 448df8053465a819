"""The programs behind `make deploy`, `make submit` and the extraction of an example."""
