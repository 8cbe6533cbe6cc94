"""A label, a backbone, an evaluator and a data set for labelbench, to read and to copy."""
