"""What an evaluator is, what it may ask for and is given, and what it gives back."""
