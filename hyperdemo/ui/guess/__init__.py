"""Questions that visitors answer before they are told, and what all of them together answered."""
