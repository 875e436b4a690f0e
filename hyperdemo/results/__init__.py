"""The results of a request as files: what the command line leaves in its output folder."""

from hyperdemo.results.sound import SoundWriter
from hyperdemo.results.view import ViewWriter, score_view

__all__ = ["SoundWriter", "ViewWriter", "score_view"]
