"""Charts and pictures: what they show as data, and how they are drawn for papers."""
