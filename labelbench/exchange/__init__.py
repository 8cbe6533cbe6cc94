"""Networks that leave labelbench for elsewhere, and networks from elsewhere that are measured by it."""
