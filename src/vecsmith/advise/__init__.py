"""Advice: choice of a codec, plan of a switch of models, and inspection of vectors, with confidence intervals."""
