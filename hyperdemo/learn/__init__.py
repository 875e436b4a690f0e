"""A step of learning from posed pictures: drawn, held to the truth, taken. `train` repeats it for
hours; the page, on a small scale, for a minute."""
