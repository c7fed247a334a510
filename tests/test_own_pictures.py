"""The README's way from a folder of photos to PyTorch, command by command."""

import json
import pathlib
import re
import shlex

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from absl import flags
from PIL import Image

import byol_jax
from byol_jax import convert, extract, inspect, main

ROOT = pathlib.Path(__file__).parent.parent
COLOURS = {"fern": (40, 160, 60), "sand": (210, 180, 90)}
# What a reader would wait for.
SHORTER = {
  "train": [
    "--noshow_views",
    "--config.training.num_epochs=2",
    "--config.training.warmup_epochs=1",
    "--config.training.batch_size=8",
    "--config.network.encoder=one_conv",
    "--config.network.projector_hidden=(8,)",
    "--config.network.predictor_hidden=(8,)",
    "--config.data.image_px=32",
  ],
  "evaluate": ["--config.logistic.num_strengths=3"],
}


def _commands():
  """Those that name the reader's folders, in their order."""
  text = (ROOT / "README.md").read_text(encoding="utf-8")
  text = re.sub(r"\\\n\s*", "", text)
  lines = re.findall(r"^python -m byol_jax\..*runs/mine.*$", text, re.MULTILINE)
  return [shlex.split(line, comments=True)[2:] for line in lines]


def _save(folder, count):
  """Photos of noise around a colour."""
  rng = np.random.default_rng(count)
  folder.mkdir(parents=True)
  for number in range(count):
    colour = COLOURS.get(folder.name, (90, 90, 200))
    pixels = rng.normal(colour, 30.0, size=(24, 32, 3)).clip(0, 255)
    picture = Image.fromarray(pixels.astype(np.uint8))
    picture.save(folder / f"photo {number}.jpg")


@pytest.fixture
def reader(tmp_path, monkeypatch):
  """A folder with photos, most of them without labels, to run commands in."""
  _save(tmp_path / "path/to/photos/summer", 10)
  _save(tmp_path / "path/to/photos/winter", 9)
  for part, count in (("train", 6), ("test", 3)):
    for name in COLOURS:
      _save(tmp_path / "path/to/labelled" / part / name, count)
  monkeypatch.chdir(tmp_path)
  return tmp_path


def _run(module, arguments, monkeypatch):
  name = module.removeprefix("byol_jax.")
  if name == "convert":
    convert.main([name, *arguments])
    return
  values = flags.FlagValues()
  monkeypatch.setattr(flags, "FLAGS", values)
  if name == "main":
    kind = "evaluate" if "configs/eval" in arguments[0] else "train"
    main.parse_flags([name, *arguments, *SHORTER[kind]], values)
    main.main([name])
    return
  command = {"extract": extract, "inspect": inspect}[name]
  command.parse_flags([name, *arguments, "--batch_size=8"], values)
  command.main([name], values)


def test_readme_leads_from_photos_to_pytorch(reader, monkeypatch, capsys):
  commands = _commands()
  assert [command[0].removeprefix("byol_jax.") for command in commands] == [
    *("main", "extract", "inspect", "main", "convert")
  ]
  for module, *arguments in commands:
    _run(module, arguments, monkeypatch)
  with np.load("features.npz") as arrays:
    assert sorted(arrays["names"])[0] == "summer/photo 0.jpg"
    features = arrays["features"]
  assert features.shape == (19, 32)
  assert features.std(axis=0).max() > 0.01
  page = pathlib.Path("inspect.html").read_text(encoding="utf-8")
  assert page.count("data:image/") >= 19
  result = json.loads(
    pathlib.Path("runs/mine/classifier/results.json").read_text()
  )
  assert result["scores"]["top1"] == 1.0  # Colours are told apart by anything.
  weights = safetensors.numpy.load_file("mine.safetensors")
  with safetensors.safe_open("mine.safetensors", "np") as file:
    names = json.loads(file.metadata()["classes"])
  picture = np.full((1, 32, 32, 3), COLOURS["sand"], np.uint8)
  found = np.asarray(byol_jax.load_encoder("runs/mine")(picture))
  logits = found @ weights["fc.weight"].T + weights["fc.bias"]
  assert names[np.argmax(logits)] == "sand"
