"""The tab of objects: a picture in, two turning objects out."""
