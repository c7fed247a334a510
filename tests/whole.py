"""A view that is the picture itself."""

from byol_jax.augment import policies

POLICY = policies.Policy(
  crop_area=(1.0, 1.0),
  crop_ratio=(1.0, 1.0),
  flip=0.0,
  jitter=0.0,
  brightness=0.0,
  contrast=0.0,
  saturation=0.0,
  hue=0.0,
  grayscale=0.0,
  blur=0.0,
  blur_sigma=(0.1, 2.0),
  blur_divider=10.0,
  solarize=0.0,
  solarize_threshold=0.5,
)
