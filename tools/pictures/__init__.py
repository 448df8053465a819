"""Makes the pictures of README.md and docs/: screenshots of the console, and a recording of `make local`."""
