"""Images of data sets as arrays: found, decoded once, kept, and checked."""
