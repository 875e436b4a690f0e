"""What the app knows of the objects of training; the command is in `__main__`."""
