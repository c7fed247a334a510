"""What a representation is worth: one file per protocol."""
