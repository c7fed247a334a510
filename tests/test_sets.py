"""The named sets of augmentations, against the rows of Table 17."""

import pytest

from byol_jax.augment import policies, sets

T = policies.Policy(
  crop_area=(0.08, 1.0),
  crop_ratio=(0.75, 1.25),
  flip=0.5,
  jitter=0.8,
  brightness=0.4,
  contrast=0.4,
  saturation=0.2,
  hue=0.1,
  grayscale=0.2,
  blur=1.0,
  blur_sigma=(0.1, 2.0),
  blur_divider=10.0,
  solarize=0.0,
  solarize_threshold=0.5,
)
T_PRIME = T._replace(blur=0.1, solarize=0.2)
_FIELDS = ("flip", "jitter", "grayscale", "blur", "solarize")


@pytest.mark.parametrize(
  ("name", "first", "second"),
  [
    ("baseline", (0.5, 0.8, 0.2, 1.0, 0.0), (0.5, 0.8, 0.2, 0.1, 0.2)),
    ("no_flip", (0.0, 0.8, 0.2, 1.0, 0.0), (0.0, 0.8, 0.2, 0.1, 0.2)),
    ("no_blur", (0.5, 0.8, 0.2, 0.0, 0.0), (0.5, 0.8, 0.2, 0.0, 0.2)),
    ("no_color", (0.5, 0.0, 0.0, 1.0, 0.0), (0.5, 0.0, 0.0, 0.1, 0.2)),
    ("no_jitter", (0.5, 0.0, 0.2, 1.0, 0.0), (0.5, 0.0, 0.2, 0.1, 0.2)),
    ("no_grayscale", (0.5, 0.8, 0.0, 1.0, 0.0), (0.5, 0.8, 0.0, 0.1, 0.2)),
    ("no_blur_in_view2", (0.5, 0.8, 0.2, 1.0, 0.0), (0.5, 0.8, 0.2, 0.0, 0.2)),
    (
      "no_solarize_in_view2",
      (0.5, 0.8, 0.2, 1.0, 0.0),
      (0.5, 0.8, 0.2, 0.1, 0.0),
    ),
    (
      "no_blur_nor_solarize_in_view2",
      (0.5, 0.8, 0.2, 1.0, 0.0),
      (0.5, 0.8, 0.2, 0.0, 0.0),
    ),
    ("symmetric", (0.5, 0.8, 0.2, 0.5, 0.2), (0.5, 0.8, 0.2, 0.5, 0.2)),
    ("crop_only", (0.0,) * 5, (0.0,) * 5),
    ("crop_and_flip", (0.5, 0.0, 0.0, 0.0, 0.0), (0.5, 0.0, 0.0, 0.0, 0.0)),
    ("crop_and_color", (0.0, 0.8, 0.2, 0.0, 0.0), (0.0, 0.8, 0.2, 0.0, 0.0)),
    ("crop_and_blur", (0.0, 0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 0.1, 0.0)),
  ],
)
def test_a_named_set_has_the_probabilities_of_its_row(name, first, second):
  views = sets.apply(name, T, T_PRIME)
  found = [tuple(getattr(view, x) for x in _FIELDS) for view in views]
  assert found == [first, second]
  # Strengths and crops are those of the baseline.
  for view in views:
    assert view._replace(**dict.fromkeys(_FIELDS, 0.0)) == T._replace(
      **dict.fromkeys(_FIELDS, 0.0)
    )
