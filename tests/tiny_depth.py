"""Configs of depth with the smallest network."""

from configs.eval import depth as depth_config


def config(preset="nyu_desk", **changes):
  """A preset made small, with other values by dotted key."""
  made = depth_config.get_config(preset).copy_and_resolve_references()
  made.unlock()
  small = {
    "encoder": "random",
    "data.train_prefix": "",
    "network.encoder": "tiny_resnet",
    "network.width_multiplier": 1,
    "depth.resized_px": (40, 50),
    "depth.image_px": (36, 48),
    "depth.widths": (4,),
    "depth.zoom": 1.0,
    "training.batch_size": 2,
    "evaluation.batch_size": 2,
    "evaluation.pictures": 1,
  }
  made.update_from_flattened_dict({**small, **changes})
  return made
