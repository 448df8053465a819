"""Programs for users: the check before `make deploy`, `make submit`, and a program that copies one example."""
