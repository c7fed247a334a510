import io
import itertools

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import annotated, annotated_batches, pairing, sources

COUNT = 6


def _png(pixels, mode=None):
  file = io.BytesIO()
  picture = Image.fromarray(pixels)
  if mode:
    picture.putpalette(bytes(range(255, -1, -1)) * 3)
  picture.save(file, "PNG")
  return file.getvalue()


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
  """VOC's layout: picture i is of colour i, its mask of class i."""
  root = tmp_path_factory.mktemp("voc")
  for name in ("JPEGImages", "SegmentationClassAug"):
    (root / name).mkdir()
  for i in range(COUNT):
    colour = np.full((4, 5, 3), i, np.uint8)
    (root / f"JPEGImages/p{i}.png").write_bytes(_png(colour))
    mask = _png(colour[:, :, 0], "P")
    (root / f"SegmentationClassAug/p{i}.png").write_bytes(mask)
  (root / "JPEGImages/alone.png").write_bytes(_png(colour))
  return root


def _place(root, list_path="", targets="SegmentationClassAug"):
  return pairing.Place(str(root), "", "JPEGImages", targets, str(list_path))


def _open(root, *args):
  return annotated.open_pairs(_place(root, *args), annotated.decode_mask)


def test_pairs_are_pictures_with_a_mask_of_their_name(voc):
  source = _open(voc)
  assert source.num_images == COUNT
  for i in range(COUNT):
    image, mask = source.read(i)
    # The palette's colours are others than the class numbers.
    assert (image == i).all()
    assert (mask == i).all()
    assert (image.shape, mask.shape) == ((4, 5, 3), (4, 5))
    assert source.name(i) == f"JPEGImages/p{i}.png"


@pytest.mark.parametrize(
  "text", ["p4\np1\n", "/JPEGImages/p4.jpg /SegmentationClassAug/p4.png\np1"]
)
def test_a_list_chooses_pictures_in_its_order(voc, tmp_path, text):
  (tmp_path / "train_aug.txt").write_text(text)
  source = _open(voc, tmp_path / "train_aug.txt")
  assert [source.read(i)[1][0, 0] for i in range(2)] == [4, 1]
  assert source.num_images == 2


@pytest.mark.parametrize(
  ("text", "match"),
  [
    ("alone", "'alone' of the list .* is not in 'SegmentationClassAug'"),
    ("p9", "'p9' of the list .* is not in 'JPEGImages'"),
    ("\n", "names no picture"),
  ],
)
def test_a_list_that_does_not_fit_is_refused(voc, tmp_path, text, match):
  (tmp_path / "list.txt").write_text(text)
  with pytest.raises(ValueError, match=match):
    _open(voc, tmp_path / "list.txt")


def test_a_folder_that_is_not_there_is_refused(voc):
  with pytest.raises(ValueError, match="no pictures are below 'Masks' in"):
    _open(voc, "", "Masks")


@pytest.mark.parametrize(
  ("mask", "match"),
  [
    (
      np.zeros((4, 6), np.uint8),
      "p0.png has 6x4 pixels, and its picture .*5x4",
    ),
    (np.zeros((4, 5, 3), np.uint8), "p0.png cannot be decoded .*mode RGB"),
  ],
)
def test_a_mask_that_does_not_fit_is_refused(tmp_path, mask, match):
  for name in ("JPEGImages", "Masks"):
    (tmp_path / name).mkdir()
  picture = _png(np.zeros((4, 5, 3), np.uint8))
  (tmp_path / "JPEGImages/p0.png").write_bytes(picture)
  (tmp_path / "Masks/p0.png").write_bytes(_png(mask))
  source = _open(tmp_path, "", "Masks")
  with pytest.raises(ValueError, match=match):
    source.read(0)


def test_a_picture_that_exif_turns_is_refused(tmp_path):
  for name in ("JPEGImages", "Masks"):
    (tmp_path / name).mkdir()
  picture = Image.fromarray(np.zeros((4, 5, 3), np.uint8))
  turned = Image.Exif()
  turned[0x0112] = 3
  picture.save(tmp_path / "JPEGImages/p0.jpg", exif=turned)
  picture.save(tmp_path / "JPEGImages/p1.jpg")
  for i in range(2):
    mask = _png(np.zeros((4, 5), np.uint8))
    (tmp_path / f"Masks/p{i}.png").write_bytes(mask)
  source = _open(tmp_path, "", "Masks")
  assert source.read(1)[0].shape == (4, 5, 3)
  with pytest.raises(ValueError, match=r"p0\.jpg has the EXIF orientation 3"):
    source.read(0)


def _numbers(count):
  """A source whose pictures are their numbers."""
  return annotated.AnnotatedSource(count, (), lambda i: (i, -i), str)


def _train(reader, first_step, count, num_images=10):
  batches = annotated_batches.train_batches(
    _numbers(num_images),
    lambda image, target, draw: {
      "image": np.int32(image),
      "target": np.int32(target),
      "own": draw.example.random(),
      "common": draw.step.random(),
    },
    reader,
    first_step,
  )
  return list(itertools.islice(batches, count))


def test_an_epoch_has_each_picture_once():
  seen = _train(sources.Reader(3, 5, 0, 1), 0, 4)
  epochs = np.concatenate([x["image"] for x in seen]).reshape(2, 10)
  assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
  assert (epochs[0] != epochs[1]).any()


def test_training_goes_on_at_any_step():
  reader = sources.Reader(3, 4, 0, 1)
  whole, later = _train(reader, 0, 7), _train(reader, 5, 2)
  for one, other in zip(whole[5:], later, strict=True):
    for key in one:
      np.testing.assert_array_equal(one[key], other[key])


def test_draws_are_a_pictures_own_or_common_to_a_step():
  seen = _train(sources.Reader(3, 5, 0, 1), 0, 4)
  own = np.concatenate([x["own"] for x in seen])
  common = np.stack([x["common"] for x in seen])
  assert len(np.unique(own)) == own.size
  assert (common == common[:, :1]).all()
  assert len(np.unique(common)) == len(seen)


def test_hosts_share_each_batch():
  whole = _train(sources.Reader(3, 6, 0, 1), 0, 3)
  halves = [_train(sources.Reader(3, 6, host, 2), 0, 3) for host in (0, 1)]
  for step, batch in enumerate(whole):
    both = np.concatenate([half[step]["own"] for half in halves])
    np.testing.assert_array_equal(np.sort(both), np.sort(batch["own"]))
    commons = {x for half in halves for x in half[step]["common"].tolist()}
    assert commons == set(batch["common"].tolist())


@pytest.mark.parametrize(("num_images", "num_hosts"), [(7, 1), (7, 2), (4, 2)])
def test_an_evaluation_has_each_picture_once(num_images, num_hosts):
  seen = []
  for host in range(num_hosts):
    batches = list(
      annotated_batches.eval_batches(
        _numbers(num_images),
        lambda image, target: {"image": np.int32(image)},
        sources.Reader(0, 4, host, num_hosts),
      )
    )
    assert len(batches) == -(-num_images // 4)
    seen += [x["image"][x["mask"]] for x in batches]
  assert sorted(np.concatenate(seen)) == list(range(num_images))
