"""From a suite to finished results: plan first, then train and measure what is missing."""
