"""Advice: which codec to choose, how to switch models, what vectors are like, and with how much confidence."""
