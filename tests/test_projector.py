"""What TensorBoard shows besides numbers, asked of TensorBoard itself."""

import io
import os

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing import (
  data_provider,
  event_accumulator,
  plugin_event_multiplexer,
)
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector import projector_plugin
from werkzeug import test as client
from werkzeug import wrappers

from byol_jax import grids, records
from byol_jax.inspection import gallery, projector

_RUN = os.path.join("mine", "tensorboard")


def _gallery(class_names):
  thumbnails = []
  for shade in (0, 100, 200):
    file = io.BytesIO()
    Image.new("RGB", (32, 16), (shade, 0, 0)).save(file, "WEBP", lossless=True)
    thumbnails.append(file.getvalue())
  return gallery.Gallery(
    names=("a.png", "<b>.png", "ключ.png"),
    labels=np.array([0, 1, 1] if class_names else [], np.int32),
    class_names=class_names,
    thumbnails=tuple(thumbnails),
  )


def _ask(logdir):
  """A function from the plugin's routes to their answers."""
  events = plugin_event_multiplexer.EventMultiplexer()
  events.AddRunsFromDirectory(str(logdir))
  events.Reload()
  plugin = projector_plugin.ProjectorPlugin(
    base_plugin.TBContext(
      logdir=str(logdir),
      data_provider=data_provider.MultiplexerDataProvider(events, str(logdir)),
    )
  )
  apps = plugin.get_plugin_apps()

  def ask(route, **query):
    app = client.Client(apps[route], wrappers.Response)
    answer = app.get(route, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer

  return ask


@pytest.mark.parametrize("class_names", [(), ("cat", "dog")])
def test_tensorboard_shows_what_was_written(tmp_path, class_names):
  workdir = tmp_path / "mine"
  with records.Recorder(str(workdir), 0) as recorder:
    recorder.write(1, {"loss": 1.0})
  features = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
  shown = _gallery(class_names)
  for _ in range(2):  # A second time replaces the first.
    projector.write(workdir / "tensorboard", shown, features)
  ask = _ask(tmp_path)
  assert ask("/runs").json == [_RUN]
  (info,) = ask("/info", run=_RUN).json["embeddings"]
  assert info["tensorShape"] == [3, 4]
  tensor = ask("/tensor", run=_RUN, name="features").data
  got = np.frombuffer(tensor, np.float32).reshape(3, 4)
  np.testing.assert_allclose(got, features, rtol=1e-4)
  lines = ask("/metadata", run=_RUN, name="features").text.splitlines()
  if class_names:
    expected = ["name\tclass", "a.png\tcat", "<b>.png\tdog", "ключ.png\tdog"]
    assert lines == expected
  else:
    assert lines == list(shown.names)
  sprite = ask("/sprite_image", run=_RUN, name="features").data
  with Image.open(io.BytesIO(sprite)) as sheet:
    assert sheet.size == (128, 128)
    reds = [
      sheet.getpixel((x, y))[0] for x, y in ((32, 32), (96, 32), (32, 96))
    ]
    assert reds == [0, 100, 200]
    assert sheet.getpixel((32, 4)) == (255, 255, 255)


def test_thumbnails_are_never_written_into_the_old_file(tmp_path):
  projector.write(tmp_path, _gallery(()), np.ones((3, 2)))
  path = tmp_path / "projector" / "sprite.png"
  other = _gallery(())._replace(thumbnails=_gallery(()).thumbnails[::-1])
  with open(path, "rb") as file:
    projector.write(tmp_path, other, np.ones((3, 2)))
    assert file.read() == projector.sprite(_gallery(()).thumbnails)[0]
  assert path.read_bytes() == projector.sprite(other.thumbnails)[0]


def test_a_full_disk_leaves_no_config(tmp_path):
  (tmp_path / "tensorboard").mkdir()
  (tmp_path / "tensorboard" / "projector").touch()
  with pytest.raises(OSError, match="projector cannot be written"):
    projector.write(tmp_path / "tensorboard", _gallery(()), np.ones((3, 2)))
  assert not (tmp_path / "tensorboard" / projector.CONFIG).exists()


def _images(workdir):
  found = event_accumulator.EventAccumulator(str(workdir / "tensorboard"))
  found.Reload()
  tags = found.Tags()
  return {
    tag: [x.encoded_image_string for x in found.Images(tag)]
    for tag in tags["images"]
  }, tags["scalars"]


@pytest.fixture
def views(monkeypatch):
  """Stands for what takes seconds to compile, and has a test of its own."""
  rng = np.random.default_rng(0)
  images = rng.random((8, 8, 8, 3), np.float32)
  drawn = grids.Grid((), images, images[:, None], 1 - images[:, None])
  monkeypatch.setattr(grids, "draw", lambda *arguments: drawn)
  return drawn


def test_views_are_shown_beside_the_numbers(views, tmp_path):
  for _ in range(2):  # As a run that was killed before its first checkpoint.
    grids.forget(str(tmp_path))
    grids.show(None, 0, str(tmp_path))
    with records.Recorder(str(tmp_path), 0) as recorder:
      recorder.write(1, {"loss": 1.0})
  images, scalars = _images(tmp_path)
  assert list(images) == ["original, view 1, view 2"]
  assert scalars == ["loss"]
  (png,) = images["original, view 1, view 2"]
  with Image.open(io.BytesIO(png)) as picture:
    shown = np.asarray(picture.convert("RGB"))
  np.testing.assert_array_equal(shown, grids.mosaic(views))


def test_views_outlive_many_restarts(views, tmp_path):
  grids.show(None, 0, str(tmp_path))
  for step in range(25):
    with records.Recorder(str(tmp_path), step) as recorder:
      recorder.write(step + 1, {"loss": 1.0})
  images, scalars = _images(tmp_path)
  assert len(images) == len(scalars) == 1


def test_views_are_drawn_once_unless_they_are_forgotten(
  views, tmp_path, monkeypatch
):
  drawn = []
  monkeypatch.setattr(grids, "draw", lambda *_: drawn.append(1) or views)
  for _ in range(2):
    grids.show(None, 0, str(tmp_path))
  assert len(drawn) == 1
  grids.forget(str(tmp_path))
  assert not list(tmp_path.rglob("*pictures*"))
  grids.show(None, 0, str(tmp_path))
  assert len(drawn) == 2


def test_views_that_cannot_be_shown_stop_nothing(tmp_path, monkeypatch, capsys):
  def fails(*arguments):
    raise ValueError("a.png cannot be decoded.")

  monkeypatch.setattr(grids, "draw", fails)
  show = grids.once(None, 0, str(tmp_path))
  for _ in range(2):
    show()
  assert capsys.readouterr().err == (
    "TensorBoard gets no views: a.png cannot be decoded.\n"
  )
