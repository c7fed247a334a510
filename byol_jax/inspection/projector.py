"""Features for TensorBoard's embedding projector.

TensorBoard looks for `projector_config.pbtxt` beside a run's events; what that
names lies in a folder of its own, so that the event files stay by themselves.
"""

import io
import math

import numpy as np
from etils import epath
from PIL import Image

from byol_jax import intact
from byol_jax.inspection import gallery

CONFIG = "projector_config.pbtxt"
_FOLDER = "projector"
# Of a thumbnail, and of all together: browsers draw no larger texture.
_SIDE_PX, _MAX_SHEET_PX = 64, 8192
# Digits beyond are noise, and would double the file.
_FORMAT = "%.5g"

_TEXT = """embeddings {{
  tensor_name: "features"
  tensor_shape: {count}
  tensor_shape: {dim}
  tensor_path: "{folder}/features.tsv"
  metadata_path: "{folder}/pictures.tsv"
  sprite {{
    image_path: "{folder}/sprite.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


def write(
  folder: epath.PathLike, shown: gallery.Gallery, features: np.ndarray
) -> None:
  """Writes features, names, classes and thumbnails, and what names them.

  Args:
    folder: with a run's events; made if it is missing. What an earlier call
      wrote there is replaced.
    shown: the pictures.
    features: [n, dim] of these.

  Raises:
    OSError: something cannot be written, said in one sentence.
  """
  folder = epath.Path(folder)
  inner = folder / _FOLDER
  with intact.writing(inner):
    inner.mkdir(parents=True, exist_ok=True)
  rows = io.StringIO()
  np.savetxt(rows, features, _FORMAT, delimiter="\t")
  intact.write_whole(rows.getvalue(), inner / "features.tsv")
  intact.write_whole(_metadata(shown), inner / "pictures.tsv")
  sheet, side = sprite(shown.thumbnails)
  intact.write_whole(sheet, inner / "sprite.png")
  count, dim = features.shape
  # Last: until it is there, TensorBoard looks at nothing else.
  text = _TEXT.format(count=count, dim=dim, folder=_FOLDER, side=side)
  intact.write_whole(text, folder / CONFIG)


def sprite(thumbnails: tuple[bytes, ...]) -> tuple[bytes, int]:
  """All thumbnails on one sheet, row after row, square.

  Args:
    thumbnails: as in `gallery.Gallery`.

  Returns:
    A PNG, and the side of a thumbnail in pixels.
  """
  columns = math.ceil(math.sqrt(len(thumbnails)))
  side = max(1, min(_SIDE_PX, _MAX_SHEET_PX // columns))
  sheet = Image.new("RGB", (columns * side, columns * side), "white")
  for at, thumbnail in enumerate(thumbnails):
    picture = Image.fromarray(gallery.pixels(thumbnail))
    share = side / max(picture.size)
    size = [max(1, round(x * share)) for x in picture.size]
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = ((side - x) // 2 for x in size)
    row, column = divmod(at, columns)
    sheet.paste(picture, (column * side + left, row * side + top))
  file = io.BytesIO()
  sheet.save(file, "PNG")
  return file.getvalue(), side


def _metadata(shown: gallery.Gallery) -> str:
  """Names, and with classes a second column and a head, as it has to be."""
  if not shown.class_names:
    return "".join(f"{name}\n" for name in shown.names)
  rows = zip(shown.names, shown.labels, strict=True)
  lines = [f"{name}\t{shown.class_names[label]}\n" for name, label in rows]
  return "".join(["name\tclass\n", *lines])
