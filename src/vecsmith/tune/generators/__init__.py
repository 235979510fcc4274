"""Generators of queries for passages: extraction from the text, a T5 model, and a chat endpoint."""

from vecsmith.tune.generators.base import GENERATORS, GeneratedPair, Generator, Passage, load_generator

__all__ = ["GENERATORS", "GeneratedPair", "Generator", "Passage", "load_generator"]
