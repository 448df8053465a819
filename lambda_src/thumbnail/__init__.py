"""The thumbnail function: makes a thumbnail of every uploaded picture and records its metadata."""
