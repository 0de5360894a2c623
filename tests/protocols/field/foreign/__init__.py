"""Protocols of other distributions."""
