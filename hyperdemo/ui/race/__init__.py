"""The tab on which a class watches two hypernetworks learn."""
