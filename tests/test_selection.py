"""Parts of sources, and sources one after another."""

import numpy as np
import pytest

from byol_jax.data import selection, sources


def _kinds(num_images=6):
  """The same six pictures, as each kind of source with random access."""
  images = np.arange(num_images, dtype=np.uint8).reshape(-1, 1, 1, 1)
  images = images.repeat(3, axis=-1)
  labels = np.arange(num_images, dtype=np.int32) * 10
  encoded = sources.EncodedSource(
    num_images=num_images,
    labels=labels,
    class_names=("a",),
    read=lambda position: bytes([position]),
    name=lambda position: f"picture {position}",
    is_plain_jpeg=labels % 20 == 0,
  )
  return {
    "array": sources.ArraySource(images, labels, ("a",)),
    "encoded": encoded,
    "record": sources.RecordSource(
      num_images, True, ("a",), lambda x: (bytes([x]), int(labels[x]))
    ),
  }


def _content(source, position):
  """Number and label of one picture."""
  label = int(selection.labels(source)[position])
  if isinstance(source, sources.ArraySource):
    return int(source.images[position, 0, 0, 0]), label
  if isinstance(source, sources.EncodedSource):
    number = source.read(position)[0]
    assert source.name(position) == f"picture {number}"
    assert source.is_plain_jpeg[position] == (number % 2 == 0)
    return number, label
  encoded, beside = source.read(position)
  assert beside == label
  return encoded[0], label


@pytest.mark.parametrize("kind", ["array", "encoded", "record"])
def test_select_takes_any_positions_in_any_order(kind):
  part = selection.select(_kinds()[kind], [5, 0, 3, 3])
  part = selection.select(part, np.array([1, 0, 3]))
  assert sources.size(part) == 3
  found = [_content(part, position) for position in range(3)]
  assert found == [(0, 0), (5, 50), (3, 30)]


def test_select_keeps_what_is_unlabelled_so():
  source = _kinds()["encoded"]._replace(labels=np.zeros(0, np.int32))
  assert not sources.is_labelled(selection.select(source, [2, 1]))


@pytest.mark.parametrize("position", [-1, 6])
def test_select_refuses_positions_outside(position):
  with pytest.raises(ValueError, match=f"position {position} .*6 pictures"):
    selection.select(_kinds()["array"], [0, position])


def _stream():
  class Dataset:
    def as_numpy_iterator(self):
      return iter([{"encoded": b"", "label": x} for x in (4, 2, 7)])

  return sources.StreamSource(3, True, ("a",), lambda *reader: Dataset())


def test_select_from_a_stream_says_what_to_do():
  with pytest.raises(ValueError, match=r"array_record.*slices"):
    selection.select(_stream(), [0])


def test_labels_of_a_stream_come_in_order():
  np.testing.assert_array_equal(selection.labels(_stream()), [4, 2, 7])


@pytest.mark.parametrize("kind", ["array", "encoded"])
def test_labels_may_be_several_for_each_picture(kind):
  several = np.array([[1, 0, -1], [0, 1, 1]] * 3, np.int32)
  source = _kinds()[kind]._replace(labels=several)
  part = selection.select(source, [3, 0])
  np.testing.assert_array_equal(selection.labels(part), [[0, 1, 1], [1, 0, -1]])


@pytest.mark.parametrize("kind", ["array", "encoded", "record"])
def test_concatenate_puts_one_source_after_the_other(kind):
  source = _kinds()[kind]
  whole = selection.concatenate(
    selection.select(source, [4, 1]), selection.select(source, [2])
  )
  assert sources.size(whole) == 3
  found = [_content(whole, position) for position in range(3)]
  assert found == [(4, 40), (1, 10), (2, 20)]
  assert whole.class_names == ("a",)


def test_concatenate_refuses_sources_of_different_kinds():
  kinds = _kinds()
  with pytest.raises(ValueError, match=r"ArraySource .* RecordSource"):
    selection.concatenate(kinds["array"], kinds["record"])


def test_concatenate_refuses_streams():
  with pytest.raises(ValueError, match="array_record"):
    selection.concatenate(_stream(), _stream())


def test_concatenate_refuses_pools_of_different_sizes():
  small = _kinds()["array"]
  large = small._replace(images=np.zeros((6, 2, 2, 3), np.uint8))
  with pytest.raises(ValueError, match=r"1x1 .* 2x2"):
    selection.concatenate(small, large)


def test_concatenate_refuses_half_labelled_pictures():
  source = _kinds()["array"]
  bare = source._replace(labels=source.labels[:0])
  with pytest.raises(ValueError, match="labels"):
    selection.concatenate(source, bare)
