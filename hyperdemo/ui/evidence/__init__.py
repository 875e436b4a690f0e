"""The tab of evidence: what is recorded in `weights/results.json`, drawn."""
