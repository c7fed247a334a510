"""Where the files of a dense task's parts lie, from the config."""

import ml_collections

from byol_jax.data import pairing


def of(data: ml_collections.ConfigDict, part: str) -> pairing.Place:
  """Folders of pictures and of what belongs to them.

  Args:
    data: section of a validated config.
    part: "train" or "test".

  Raises:
    ValueError: the part has no path.
  """
  path = data[f"{part}_path"]
  if not path:
    raise ValueError(
      f"data.{part}_path is empty: name a folder or tar with"
      f" {data.images_folder} and {data.targets_folder}."
    )
  return pairing.Place(
    path=path,
    prefix=data[f"{part}_prefix"],
    images_folder=data.images_folder,
    targets_folder=data.targets_folder,
    list_path=data[f"{part}_list"],
  )
