"""Losses, scores and pictures of depth maps."""
