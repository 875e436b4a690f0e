"""The page: thin callbacks over the pipeline, and the only importer of Gradio."""

from hyperdemo.ui.app import build_app, launch_options, mounted
from hyperdemo.ui.ending import serve_until_told
from hyperdemo.ui.watched import start_log

__all__ = ["build_app", "launch_options", "mounted", "serve_until_told", "start_log"]
