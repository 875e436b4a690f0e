"""The results of a request as files: what the command line leaves in its output folder."""

from hyperdemo.results.files import swapped_in
from hyperdemo.results.sound import SoundWriter
from hyperdemo.results.view import ViewWriter, check_truths, score_view

__all__ = ["SoundWriter", "ViewWriter", "check_truths", "score_view", "swapped_in"]
