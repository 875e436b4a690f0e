"""From 3D models to rendered training views, and which of them are held out."""
