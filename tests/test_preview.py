"""What the preview shows, on pictures whose every pixel tells which it is."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from PIL import Image

from byol_jax import grids, inputs, preview
from byol_jax.data import sources

ROOT = pathlib.Path(__file__).parent.parent
SHADES = (50, 90, 150, 200, 240)
# A picture gets brighter by so much from left to right: no two crops agree.
RAMP = np.arange(16, dtype=np.uint8)
NO_CHANGE = [
  f"--config.augment.{view}.{change}=0"
  for view in ("view1", "view2")
  for change in ("jitter", "grayscale", "blur")
]


@pytest.fixture(autouse=True)
def _in_root(monkeypatch):
  monkeypatch.chdir(ROOT)


def _picture(shade):
  row = (shade + RAMP).clip(0, 255).astype(np.uint8)
  return np.broadcast_to(row[None, :, None], (16, 16, 3))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
  root = tmp_path_factory.mktemp("pictures")
  for shade in SHADES:
    (root / f"class_{shade}").mkdir()
    file = root / f"class_{shade}" / "only.png"
    Image.fromarray(_picture(shade)).save(file)
  return root


def _config(*arguments):
  values = flags.FlagValues()
  preview.parse_flags(["preview", *arguments], values)
  return values["config"].value


def _folder_config(pictures, where, *more):
  return _config(
    "--config=configs/folder.py",
    f"--config.data.train_path={pictures}",
    f"--config.data.views={where}",
    "--config.data.labelled=True",
    "--config.data.image_px=8",
    "--config.augment.view2.solarize=1",
    *NO_CHANGE,
    *more,
  )


def _draw(config, num_images, num_draws):
  data = inputs.open_inputs(config)
  return grids.draw(data, config.seed, num_images, num_draws)


def _assert_rows_hold_one_picture(grid, shades):
  """View 2 is solarized: what is bright is inverted."""
  for row, shade in enumerate(shades):
    low, high = (shade - 1) / 255, (shade + 17) / 255
    for images in (grid.originals[row], grid.view1[row]):
      assert low <= images.min() <= images.max() <= high
    inverted = grid.view2[row] if shade < 128 else 1.0 - grid.view2[row]
    assert low <= inverted.min() <= inverted.max() <= high


@pytest.mark.parametrize("where", ["host", "device", "memory"])
def test_draw_shows_several_views_of_the_same_picture(pictures, where):
  grid = _draw(_folder_config(pictures, where), 4, 3)
  assert grid.originals.shape == (4, 8, 8, 3)
  assert grid.view1.shape == grid.view2.shape == (4, 3, 8, 8, 3)
  assert grid.view1.dtype == grid.view2.dtype == np.float32
  shades = [int(name.removeprefix("class_")) for name in grid.names]
  assert len(set(shades)) == 4
  _assert_rows_hold_one_picture(grid, shades)
  first, second, third = np.moveaxis(grid.view1, 1, 0)
  assert np.abs(first - second).max() > 0.005
  assert np.abs(second - third).max() > 0.005


def test_draw_shows_what_there_is_without_names_when_unlabelled(pictures):
  config = _folder_config(pictures, "memory", "--config.data.labelled=False")
  grid = _draw(config, 100, 1)
  assert len(grid.originals) == len(SHADES)
  assert grid.names == ()


def test_draw_depends_on_the_seed(pictures):
  def views(seed):
    more = f"--config.seed={seed}"
    return _draw(_folder_config(pictures, "memory", more), 5, 1).view1

  first = views(1)
  np.testing.assert_array_equal(first, views(1))
  assert np.abs(first - views(2)).max() > 0.005


def test_draw_reads_the_beginning_of_a_stream(pictures, monkeypatch):
  import tensorflow as tf

  encoded = [
    (pictures / f"class_{shade}" / "only.png").read_bytes() for shade in SHADES
  ]

  def examples():
    for label, file in enumerate(encoded):
      assert label < 3, "only three pictures are shown"
      yield {"encoded": file, "label": label}

  stream = sources.StreamSource(
    num_images=len(SHADES),
    labelled=True,
    class_names=tuple("abcde"),
    open=lambda seed, host, num_hosts: tf.data.Dataset.from_generator(
      examples,
      output_signature={
        "encoded": tf.TensorSpec((), tf.string),
        "label": tf.TensorSpec((), tf.int64),
      },
    ),
  )
  config = _folder_config(pictures, "device")
  data = inputs.open_inputs(config)._replace(train=stream)
  monkeypatch.setattr(inputs, "open_inputs", lambda config: data)
  grid = _draw(config, 3, 2)
  assert grid.names == ("a", "b", "c")
  _assert_rows_hold_one_picture(grid, SHADES[:3])


def _plain_grid(names=("", "")):
  """Originals are 0.2, view 1 is 0.4 and view 2 is 0.6; the last row + 0.05."""
  row = 0.05 * np.arange(2, dtype=np.float32)[:, None, None, None]
  images = np.broadcast_to(row, (2, 48, 48, 3))
  draws = np.stack([images] * 3, axis=1)
  return grids.Grid(names, images + 0.2, draws + 0.4, draws + 0.6)


def test_mosaic_magnifies_and_leaves_gaps():
  sheet = grids.mosaic(_plain_grid())
  # Cells of 96, 4 between them and 16 between the three groups.
  assert sheet.shape == (2 * 96 + 4, 96 + 16 + 296 + 16 + 296, 3)
  assert sheet.dtype == np.uint8
  top = [0] * 96 + [255] * 16
  group = [0] * 96 + [255] * 4 + [0] * 96 + [255] * 4 + [0] * 96
  white = np.array(top + group + [255] * 16 + group) == 255
  for rows, more in ((slice(0, 96), 0), (slice(100, 196), 0.05)):
    expected = np.full(white.shape, 255)
    places = np.arange(len(white))
    shares = ((0, 0.2), (112, 0.4), (424, 0.6))
    for start, share in shares:
      expected[(places >= start) & ~white] = round(255 * (share + more))
    np.testing.assert_array_equal(
      sheet[rows], np.broadcast_to(expected[None, :, None], (96, 720, 3))
    )
  assert np.all(sheet[96:100] == 255)


@pytest.mark.parametrize(("names", "left"), [((), 4), (("a_class", "b"), 112)])
def test_save_writes_the_mosaic_below_headings(tmp_path, names, left):
  grid = _plain_grid(names)
  preview.save(grid, str(tmp_path / "page"))
  with Image.open(tmp_path / "page") as file:
    assert file.format == "PNG"
    page = np.asarray(file.convert("RGB"))
  assert page.shape == (28 + 196 + 4, left + 720 + 4, 3)
  np.testing.assert_array_equal(
    page[28:224, left : left + 720], grids.mosaic(grid)
  )
  # Dark letters above each group, and at the left where there are names.
  for start, stop in ((0, 96), (112, 408), (424, 720)):
    assert page[:28, left + start : left + stop].min() < 100
  assert (page[28:, :left].min() < 100) == bool(names)


@pytest.mark.parametrize(
  ("arguments", "sentence"),
  [
    ((), "--config is missing, for example --config=configs/cpu.py."),
    (("--config=configs/cpu.py", "--num_draws=0"), "flag --num_draws=0: 0 is"),
    (("--config=configs/cpu.py", "--workdir=x"), "Unknown command line flag"),
  ],
)
def test_wrong_flag_is_one_line_and_code_2(capsys, arguments, sentence):
  with pytest.raises(SystemExit) as error:
    _config(*arguments)
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith(f"byol_jax: {sentence}")


def _run(*arguments):
  return subprocess.run(
    [sys.executable, "-m", "byol_jax.preview", *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )


def test_command_writes_the_embedded_patches(tmp_path):
  path = tmp_path / "preview.png"
  done = _run("--config=configs/cpu.py", f"--out={path}", "--num_images=2")
  assert (done.returncode, done.stdout) == (0, f"Wrote {path}.\n")
  with Image.open(path) as file:
    # Names, 1 + 4 + 4 cells of 96 at least, and what is between.
    assert file.width >= 112 + 9 * 96 + 6 * 4 + 2 * 16 + 4
    assert file.height >= 28 + 2 * 96 + 4 + 4


@pytest.mark.parametrize(
  ("name", "reason"),
  [
    ("missing/preview.png", "cannot be written: No such file or directory."),
    ("preview.jpg", "has to end in .png."),
  ],
)
def test_a_path_is_refused_before_drawing(
  tmp_path, name, reason, monkeypatch, capsys
):
  monkeypatch.setattr(grids, "draw", None)
  values, path = flags.FlagValues(), tmp_path / name
  arguments = ["--config=configs/cpu.py", f"--out={path}"]
  preview.parse_flags(["preview", *arguments], values)
  monkeypatch.setattr(flags, "FLAGS", values)
  with pytest.raises(SystemExit) as error:
    preview.main([])
  assert error.value.code == 2
  assert capsys.readouterr().err == f"byol_jax: --out={path} {reason}\n"
