"""The app on Ray Serve; without Ray there is `app.py`."""

from hyperdemo.serve.application import Serving, application

__all__ = ["Serving", "application"]
