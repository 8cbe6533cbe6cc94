"""What authors of plugins use: begin a plugin, check it, try it."""
