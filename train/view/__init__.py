"""The view task: its data, training, experiments and scores."""
