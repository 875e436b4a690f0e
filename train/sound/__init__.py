"""The sound task: its data, training, experiments and scores."""
