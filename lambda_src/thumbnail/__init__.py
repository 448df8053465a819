"""The thumbnail function makes a thumbnail of every uploaded picture and stores the picture's metadata."""
