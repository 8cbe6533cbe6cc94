"""Perturbed images through the decoder of any label: losses, the loop, and networks made ready for it."""
