"""Configs of the evaluations: one file a protocol."""
