"""The pages of single examples. Each module has the short name of its example, and a class `Page`."""
