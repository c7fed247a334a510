"""Named sets of augmentations (paper, Table 17 and Figure 3b)."""

from byol_jax.augment.policies import Policy

_NO_COLOR = {"jitter": 0.0, "grayscale": 0.0}
_NO_BLUR, _NO_SOLARIZE = {"blur": 0.0}, {"solarize": 0.0}
_CROP_ONLY = {**_NO_COLOR, **_NO_BLUR, **_NO_SOLARIZE, "flip": 0.0}

# What each set changes in the first and in the second view.
SETS = {
  "baseline": ({}, {}),
  "no_flip": ({"flip": 0.0}, {"flip": 0.0}),
  "no_blur": (_NO_BLUR, _NO_BLUR),
  "no_color": (_NO_COLOR, _NO_COLOR),
  "no_jitter": ({"jitter": 0.0}, {"jitter": 0.0}),
  "no_grayscale": ({"grayscale": 0.0}, {"grayscale": 0.0}),
  "no_blur_in_view2": ({}, _NO_BLUR),
  "no_solarize_in_view2": ({}, _NO_SOLARIZE),
  "no_blur_nor_solarize_in_view2": ({}, {**_NO_BLUR, **_NO_SOLARIZE}),
  "symmetric": ({"blur": 0.5, "solarize": 0.2},) * 2,
  "crop_only": (_CROP_ONLY,) * 2,
  "crop_and_flip": ({**_NO_COLOR, **_NO_BLUR, **_NO_SOLARIZE},) * 2,
  "crop_and_color": ({"flip": 0.0, **_NO_BLUR, **_NO_SOLARIZE},) * 2,
  "crop_and_blur": ({"flip": 0.0, **_NO_COLOR, **_NO_SOLARIZE},) * 2,
}


def apply(name: str, view1: Policy, view2: Policy) -> tuple[Policy, Policy]:
  """The two views of a named set.

  Args:
    name: a key of `SETS`. "color" means jitter and grayscale; solarisation
      goes wherever a set says "only".
    view1: T of the baseline.
    view2: T' of the baseline.

  Returns:
    T and T' with the set's probabilities; strengths stay.

  Raises:
    KeyError: there is no such set.
  """
  change1, change2 = SETS[name]
  return view1._replace(**change1), view2._replace(**change2)
