"""The page: thin callbacks over the pipeline, and the only importer of Gradio."""

from hyperdemo.ui.app import build_app, launch_options
from hyperdemo.ui.watched import start_log

__all__ = ["build_app", "launch_options", "start_log"]
