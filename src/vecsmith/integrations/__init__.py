"""Integrations: vecsmith inside other libraries' tools."""
