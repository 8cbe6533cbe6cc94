"""Plugins: the hooks that they answer, how they are found, and how a name and its arguments become what they made."""
