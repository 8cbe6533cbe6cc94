"""The built-in data sets: digits, CIFAR-10 and CIFAR-100, and folders of one's own images."""
