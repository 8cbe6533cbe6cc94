"""A label, a backbone and an evaluator for labelbench, to read and to copy."""
