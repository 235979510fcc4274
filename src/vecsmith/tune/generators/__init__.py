"""Generators of queries for passages: extraction from the text, a T5 model, and a chat endpoint."""

from vecsmith.tune.generators.base import GENERATORS, Generator, Passage, load_generator

__all__ = ["GENERATORS", "Generator", "Passage", "load_generator"]
