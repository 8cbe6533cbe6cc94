"""What each command of the command line does, with the options as it gives them."""
