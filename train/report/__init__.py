"""Tables, model cards and credits, generated from recorded results."""
