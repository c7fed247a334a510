"""ResNet encoders, MLP heads and the network that joins them."""
