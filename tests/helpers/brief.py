"""A run of seconds, as options of the command."""

BRIEF = ("--evaluator", "accuracy", "--seeds", "1", "--epochs", "1", "--train-fraction", "0.1", "--test-images", "50")
