"""Tests; one file a module, and `browser` with those that drive a real page."""
