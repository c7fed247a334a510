"""Dense transfer: segmentation, detection and depth from an encoder."""
