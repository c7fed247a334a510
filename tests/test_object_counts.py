"""Numbers of objects that are refused before any work."""

import numpy as np
import pytest

from byol_jax.data import annotated
from byol_jax.dense import object_counts


def _source(*difficult):
  marks = [np.array(x, bool) for x in difficult]
  return annotated.AnnotatedSource(
    num_images=len(marks),
    class_names=("a",),
    read=lambda position: None,
    name=lambda position: f"{position}.jpg",
    difficult=marks,
  )


def test_the_picture_with_the_most_boxes_is_named():
  source = _source([0], [0, 1, 0], [0, 0])
  object_counts.check_room(source, 3)
  with pytest.raises(ValueError, match=r"^1.jpg has 3 boxes.*max_boxes=2 has"):
    object_counts.check_room(source, 2)


def test_a_part_without_an_object_that_counts_is_refused():
  object_counts.check_some(_source([], [1, 0]), "data.test_path=x", "a score")
  with pytest.raises(ValueError, match=r"the 2 pictures of data.test_path=x h"):
    object_counts.check_some(_source([], [1, 1]), "data.test_path=x", "a score")


def test_what_needs_an_object_is_named():
  with pytest.raises(ValueError, match="and training needs one"):
    object_counts.check_some(_source([]), "data.train_path=x", "training")


def test_objects_are_counted_where_they_are_known():
  assert object_counts.total(_source([0], [0, 1, 0], [])) == 4
  assert object_counts.total(_source([1])._replace(difficult=())) is None


def test_what_is_not_known_passes():
  source = _source([1])._replace(difficult=())
  object_counts.check_some(source, "data.test_path=x", "a score")
  object_counts.check_room(source, 0)


def test_chosen_pictures_keep_their_marks():
  some = annotated.select(_source([1], [0, 0], [0]), [2, 0])
  assert [list(x) for x in some.difficult] == [[False], [True]]
  none = annotated.select(_source([1])._replace(difficult=()), [0])
  assert not none.difficult
