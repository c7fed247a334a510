"""Which pictures are held out or chosen: positions, from a seed alone.

Positions rise, so that parts keep the order of the set they come from.
"""

import numpy as np


def last(num_images: int, count: int) -> np.ndarray:
  """The last pictures, [count] int64.

  Raises:
    ValueError: there are not so many, or none is asked for.
  """
  _check_count(num_images, count)
  return np.arange(num_images - count, num_images)


def random_part(num_images: int, count: int, seed: int) -> np.ndarray:
  """Any pictures, all equally likely, [count] int64.

  Raises:
    ValueError: as in `last`.
  """
  _check_count(num_images, count)
  order = np.random.default_rng(seed).permutation(num_images)
  return np.sort(order[:count])


def per_class(
  labels: np.ndarray, counts: int | np.ndarray, seed: int
) -> np.ndarray:
  """So many pictures of each class, [sum of the counts] int64.

  For the same seed a smaller count gives a part of what a larger one gives.

  Args:
    labels: [n] int32, the class of each picture.
    counts: of every class, or [num_classes] of each.
    seed: of the choice.

  Returns:
    Positions in [0, n).

  Raises:
    ValueError: a class has too few pictures, or a picture several classes.
  """
  _check_single(labels)
  sizes = np.bincount(labels)
  if np.ndim(counts) == 0:
    counts = np.where(sizes > 0, counts, 0)
  wanted = np.zeros(max(len(counts), len(sizes)), np.int64)
  wanted[: len(counts)] = counts
  sizes = np.pad(sizes, (0, len(wanted) - len(sizes)))
  short = np.flatnonzero(wanted > sizes)
  if short.size:
    raise ValueError(
      f"class {short[0]} has {sizes[short[0]]} images, fewer than the"
      f" {wanted[short[0]]} to choose."
    )
  order = np.random.default_rng(seed).permutation(len(labels))
  by_class = order[np.argsort(labels[order], kind="stable")]
  rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
  return np.sort(by_class[rank < wanted[labels[by_class]]])


def balanced_share(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
  """A share of all pictures, equally many of each class.

  A class that has too few gives all it has and the others give more; each class
  gives at least one. For the same seed a smaller share is a part of a larger.

  Args:
    labels: [n] int32, the class of each picture.
    share: of all pictures, in (0, 1].
    seed: of the choice.

  Returns:
    Positions in [0, n).

  Raises:
    ValueError: the share is out of range, or a picture has several classes.
  """
  _check_single(labels)
  _check_share(share)
  sizes = np.bincount(labels)
  total = max(round(share * len(labels)), np.count_nonzero(sizes))
  level = _level(sizes, total)
  counts = np.minimum(sizes, level)
  # A few classes give one more, so that the total is right.
  larger = np.flatnonzero(sizes > level)
  larger = np.random.default_rng(seed).permutation(larger)
  counts[larger[: total - counts.sum()]] += 1
  return per_class(labels, counts, seed)


def proportional(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
  """A share of each class, for holding it out.

  Each class of two pictures or more gives at least one, which may be more than
  the share, and each class keeps at least one.

  Args:
    labels: [n] int32, the class of each picture.
    share: of all pictures, in (0, 1].
    seed: of the choice.

  Returns:
    Positions in [0, n).

  Raises:
    ValueError: the share is out of range or leaves a class without pictures,
      or a picture has several classes.
  """
  _check_single(labels)
  _check_share(share)
  sizes = np.bincount(labels)
  most = np.maximum(sizes - 1, 0)
  least = np.minimum(most, 1)
  total = max(round(share * len(labels)), least.sum())
  if total > most.sum():
    raise ValueError(
      f"{total} of {len(labels)} images cannot be held out: each of"
      f" {np.count_nonzero(sizes)} classes keeps one to train on."
    )
  exact = total * sizes / len(labels)
  counts = np.clip(np.floor(exact).astype(np.int64), least, most)
  # Of classes that are equally far from their due a random one comes first.
  order = np.random.default_rng(seed).permutation(np.flatnonzero(sizes))
  while counts.sum() != total:
    step = 1 if counts.sum() < total else -1
    can = counts < most if step > 0 else counts > least
    lack = np.where(can, step * (exact - counts), -np.inf)
    counts[order[np.argmax(lack[order])]] += step
  return per_class(labels, counts, seed)


def like_other(
  labels: np.ndarray, other: np.ndarray, total: int, seed: int
) -> np.ndarray:
  """So many pictures, the classes as frequent as in another part.

  Args:
    labels: [n] int32, the class of each picture.
    other: [m] int32, those of the other part.
    total: how many.
    seed: of the choice.

  Returns:
    Positions in [0, n).

  Raises:
    ValueError: as in `per_class`.
  """
  _check_single(labels)
  _check_single(other)
  return per_class(labels, apportion(np.bincount(other), total), seed)


def apportion(weights: np.ndarray, total: int) -> np.ndarray:
  """Whole numbers that sum to a total, in proportion to weights.

  Args:
    weights: [n], not negative.
    total: to share out; the largest remainders are rounded up.

  Returns:
    [n] int64.
  """
  exact = total * np.asarray(weights, np.float64) / np.sum(weights)
  counts = np.floor(exact).astype(np.int64)
  up = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
  counts[up] += 1
  return counts


def others(num_images: int, positions: np.ndarray) -> np.ndarray:
  """The positions in [0, num_images) that are not among the given ones."""
  left = np.ones(num_images, bool)
  left[positions] = False
  return np.flatnonzero(left)


def _level(sizes: np.ndarray, total: int) -> int:
  """The most that all classes can give, up to their sizes, within a total."""
  low, high = 0, int(sizes.max())
  while low < high:
    middle = (low + high + 1) // 2
    fits = np.minimum(sizes, middle).sum() <= total
    low, high = (middle, high) if fits else (low, middle - 1)
  return low


def _check_count(num_images: int, count: int) -> None:
  if not 0 < count <= num_images:
    raise ValueError(f"{count} of {num_images} images cannot be chosen.")


def _check_share(share: float) -> None:
  if not 0 < share <= 1:
    raise ValueError(f"a share of {share} is impossible: it is in (0, 1].")


def _check_single(labels: np.ndarray) -> None:
  if labels.ndim != 1 or not labels.size:
    raise ValueError(
      "parts can be balanced by class only where each picture has one class."
    )
  if labels.min() < 0:
    raise ValueError(
      f"a picture has the label {labels.min()}, which is no class: parts can be"
      " balanced only where each picture has one."
    )
