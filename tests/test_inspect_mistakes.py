"""What the command refuses, before it encodes a picture."""

import jax
import pytest
import stored
from absl import flags
from PIL import Image

from byol_jax import inspect


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  stored.save_encoder(workdir)
  return workdir


def _run(*arguments):
  values = flags.FlagValues()
  batch = f"--batch_size={2 * jax.device_count()}"
  inspect.parse_flags(["x", batch, *arguments], values)
  inspect.main([], values)


REFUSED = [
  (("--out=",), "--out is missing, for example --out=inspect.html."),
  (("--out=x.txt",), "--out=x.txt has to end in .html."),
  (
    ("--out=no/x.html",),
    "--out=no/x.html cannot be written: No such file or directory.",
  ),
  (
    ("--figures=file",),
    "--figures=file cannot be written: File exists.",
  ),
  (("--map=pca",), "flag --map=pca: value should be one of"),
  (("--map=umap",), "--map=umap needs the package umap-learn: pip install"),
  (("--max_images=2",), "flag --max_images=2: 2 is"),
  (("--max_images=20001",), "flag --max_images=20001: 20001 is"),
  (("--images=two",), "--images=two has 2 pictures, and only 3 or more can"),
  (("--images=missing",), "no folder or tar file is at 'missing'."),
  (("--encoder=missing",), "missing is not a folder with checkpoints."),
]


@pytest.mark.parametrize(("more", "sentence"), REFUSED)
def test_mistakes_are_one_line_and_code_2(
  encoder, tmp_path, monkeypatch, capsys, more, sentence
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "file").touch()
  for count, name in ((2, "two"), (3, "three")):
    (tmp_path / name).mkdir()
    for number in range(count):
      Image.new("RGB", (8, 8)).save(tmp_path / name / f"{number}.png")
  monkeypatch.setattr(
    inspect.layout.importlib.util, "find_spec", lambda name: None
  )
  with pytest.raises(SystemExit) as error:
    _run(f"--encoder={encoder}", "--images=three", *more)
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith(f"byol_jax: {sentence}")
  assert not list(tmp_path.glob("*.html"))
  assert not list(tmp_path.glob("*.tmp"))
