"""Built-in labels."""
