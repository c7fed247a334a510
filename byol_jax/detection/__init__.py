"""Boxes: geometry, proposals and scores, pure."""
