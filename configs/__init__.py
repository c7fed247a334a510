"""Configs: one file a published run, and one that trains on a CPU."""
