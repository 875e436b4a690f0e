import pytest

from tests.train import scenes


@pytest.fixture(scope="session")
def views():
    """Three balls, each from twelve sides; tests leave them as they are."""
    return scenes.views_of(n_views=12)
