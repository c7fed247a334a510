"""The text that tells data apart."""

import numpy as np
import pytest

from byol_jax.data import identity, sources

_NAMES = ("cat", "dog")
_LABELS = np.array([0, 1, 1], np.int32)


def _arrays(labels=_LABELS, names=_NAMES, pixel=0):
  images = np.zeros((3, 4, 4, 3), np.uint8)
  images[2, 3, 3, 2] = pixel
  return sources.ArraySource(images, labels, names)


def _files(labels=_LABELS, names=_NAMES, third="c.png"):
  files = ("a.png", "b.png", third)
  return sources.EncodedSource(
    num_images=3,
    labels=labels,
    class_names=names,
    read=None,
    name=files.__getitem__,
    is_plain_jpeg=np.zeros(3, bool),
  )


def _records(num_images=3, names=_NAMES):
  return sources.RecordSource(num_images, True, names, None)


def _stream(num_images=3, names=_NAMES):
  return sources.StreamSource(num_images, True, names, None)


_DIFFERENT = [
  _arrays(),
  _arrays(labels=_LABELS[::-1]),
  _arrays(labels=np.eye(3, 2, dtype=np.int32)),
  _arrays(labels=_LABELS[:0]),
  _arrays(names=("cat", "eel")),
  _arrays(pixel=1),
  _files(),
  _files(labels=_LABELS[::-1]),
  _files(labels=_LABELS[:0]),
  _files(names=("cat", "eel")),
  _files(third="d.png"),
  # As a file system gives a name that is no UTF-8.
  _files(third="\udcff.png"),
  _records(),
  _records(num_images=4),
  _records(names=("cat", "eel")),
  _stream(),
  _stream(num_images=4),
  None,
]


def test_whatever_differs_is_told_apart():
  found = {identity.digest([source]) for source in _DIFFERENT}
  assert len(found) == len(_DIFFERENT)


@pytest.mark.parametrize("make", [_arrays, _files, _records, _stream])
def test_equal_data_have_one_digest(make):
  text = identity.digest([make(), None])
  assert text == identity.digest([make(), None])
  assert len(text) == 16
  assert int(text, 16)


def test_parts_count_in_their_order():
  one, other = _arrays(), _files()
  found = {
    identity.digest(parts)
    for parts in ([one, None, other], [one, other, None], [other, None, one])
  }
  assert len(found) == 3


def test_pictures_in_any_memory_order_are_the_same():
  turned = np.asfortranarray(np.arange(144, dtype=np.uint8).reshape(3, 4, 4, 3))
  source = _arrays()._replace(images=turned)
  straight = source._replace(images=np.ascontiguousarray(turned))
  assert identity.digest([source]) == identity.digest([straight])
