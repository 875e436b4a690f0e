"""Cameras and renderers: they take any callable field and know no model."""
