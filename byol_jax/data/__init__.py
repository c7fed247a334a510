"""Pictures: where they come from and how they become batches."""

import os

# TensorFlow's start-up messages; what really fails arrives as an exception. It
# must be set before the first import of TensorFlow, which is not made here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
