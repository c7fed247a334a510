"""The newest checkpoint that can be read, whatever happened to the others."""

import json
import os
import shutil
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from byol_jax import checkpoint

CONFIG = json.dumps({"seed": 3, "training": {"batch_size": 8}})


class State(NamedTuple):
  step: Any
  params: Any
  opt_state: Any


def _state(step):
  # More than Orbax keeps within its index, and nothing that can be packed.
  noise = np.random.default_rng(step).normal(size=(32, 4)).astype(np.float32)
  return State(
    step=np.int32(step),
    params={"net/~/conv": {"w": noise, "b": np.float32([step, 0, 1])}},
    opt_state=(np.full((2, 2), step, np.int32), ()),
  )


def _like(step=0):
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), _state(step)
  )


def _save(folder, steps, **arguments):
  with checkpoint.open_manager(str(folder), keep=10) as manager:
    for step in steps:
      checkpoint.save(manager, step, _state(step), CONFIG, **arguments)


def _restore(folder, config=CONFIG, like=None):
  with checkpoint.open_manager(str(folder), keep=10) as manager:
    return checkpoint.restore_newest(manager, like or _like(), config)


def _assert_is(found, step):
  assert found.step == step
  assert jax.tree.structure(found.state) == jax.tree.structure(_state(step))
  for ours, saved in zip(
    jax.tree.leaves(found.state), jax.tree.leaves(_state(step)), strict=True
  ):
    np.testing.assert_array_equal(ours, saved, strict=True)


@pytest.fixture(scope="module", name="whole")
def _whole(tmp_path_factory):
  """Two steps, never to be written to."""
  folder = tmp_path_factory.mktemp("whole")
  _save(folder, [1, 2])
  return folder


@pytest.fixture(name="folder")
def _folder(whole, tmp_path):
  """A copy of the two steps."""
  return shutil.copytree(whole, tmp_path / "checkpoints")


@pytest.fixture(name="lines")
def _lines(caplog):
  """What we say; Orbax speaks through a logger of its own."""

  def said():
    return [x.getMessage() for x in caplog.records if x.name == "root"]

  return said


def test_restore_newest_finds_nothing_in_a_new_folder(tmp_path):
  assert _restore(tmp_path) is None


def test_restore_newest_gives_back_the_newest(folder, lines):
  found = _restore(folder)
  _assert_is(found, 2)
  assert found.pending is None
  assert found.changes == []
  assert lines() == []


def test_pending_comes_back(tmp_path):
  _save(tmp_path, [1], pending={"skipped": [3, 4], "why": "nan"})
  assert _restore(tmp_path).pending == {"skipped": [3, 4], "why": "nan"}


def test_changed_settings_are_named(folder):
  changed = json.dumps({"seed": 4, "training": {"batch_size": 8}})
  assert _restore(folder, changed).changes == ["seed 3 -> 4"]


def _flips(data):
  """One bit of some bytes, the first and the last among them."""
  for place in {*range(0, len(data), max(1, len(data) // 5)), len(data) - 1}:
    yield data[:place] + bytes([data[place] ^ 0x04]) + data[place + 1 :]


DAMAGES = {
  "empty": lambda data: [b""],
  "cut": lambda data: [data[: len(data) // 2], data[:-1]],
  "zeros": lambda data: [bytes(len(data))],
  "flip": _flips,
  "deleted": lambda data: [None],
}


def _files(folder):
  """What a step consists of; Orbax draws some of the names."""
  return [x.relative_to(folder) for x in folder.rglob("*") if x.is_file()]


# Of a name that is flipped in state/_METADATA, TensorStore complains late.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_to_a_file_is_taken_for_whole(whole, tmp_path, damage):
  passed_over = set()
  for number, file in enumerate(_files(whole / "2")):
    data = (whole / "2" / file).read_bytes()
    for turn, other in enumerate(DAMAGES[damage](data)):
      folder = shutil.copytree(whole, tmp_path / f"{number}.{turn}")
      (folder / "2" / file).unlink()
      if other is not None:
        (folder / "2" / file).write_bytes(other)
      found = _restore(folder)
      _assert_is(found, found.step)
      if found.step == 1:
        passed_over.add(str(file))
        assert sorted(os.listdir(folder)) == ["1", "2.damaged"]
  # Of the rest, Orbax reads nothing.
  needed = {"config/metadata", "state/_METADATA", "state/manifest.ocdbt"}
  assert passed_over >= needed
  assert any(file.startswith("state/d/") for file in passed_over)


def _no_json(step):
  (step / "config" / "metadata").write_text("{'a': 1")


def _cut(step):
  """Only the arrays' own bytes."""
  for file in (step / "state" / "d").iterdir():
    file.write_bytes(file.read_bytes()[:-40])


def _other_key(step):
  """A path within the state, as a flipped bit may write it."""
  file = step / "state" / "_METADATA"
  file.write_text(file.read_text().replace('"key": "opt_', '"key": "opd_', 1))


def _foreign(step):
  (step / "config" / "metadata").write_text("[1, 2]")


def _no_config(step):
  shutil.rmtree(step / "config")


def _no_state(step):
  shutil.rmtree(step / "state")


def _empty(step):
  shutil.rmtree(step)
  step.mkdir()


def _edited(step):
  file = step / "config" / "metadata"
  file.write_text(file.read_text().replace('"seed": 3', '"seed": 5'))


def _other_bytes(step):
  """A leaf that reads well and is another."""
  other = step.parent.parent / "other"
  state = _state(int(step.name))
  state.params["net/~/conv"]["w"][3, 1] += 1e-6
  with checkpoint.open_manager(str(other), keep=1) as manager:
    checkpoint.save(manager, int(step.name), state, CONFIG)
  shutil.rmtree(step / "state")
  shutil.move(other / step.name / "state", step / "state")


@pytest.mark.parametrize(
  ("damage", "reason"),
  [
    (_no_json, "config cannot be read: JSONDecodeError"),
    (_foreign, "config/metadata holds no config"),
    (_no_config, "config cannot be read: FileNotFoundError"),
    (_no_state, "state cannot be read: FileNotFoundError"),
    (_cut, "state cannot be read: ValueError: "),
    (_other_key, "state cannot be read: AssertionError"),
    (_empty, "config cannot be read: FileNotFoundError"),
    (_edited, "config/metadata is not as it was written"),
    (_other_bytes, "params/net/~/conv/w is not as it was written"),
  ],
)
def test_a_damaged_step_is_named_and_passed_over(folder, lines, damage, reason):
  damage(folder / "2")
  _assert_is(_restore(folder), 1)
  (line,) = lines()
  assert line.startswith(f"Checkpoint 2 in {folder} is damaged ({reason}")
  assert line.endswith("): passing over it.")
  assert "\n" not in line
  assert sorted(os.listdir(folder)) == ["1", "2.damaged"]


def test_a_damaged_step_can_be_saved_again(folder):
  _no_config(folder / "2")
  for _ in range(2):
    with checkpoint.open_manager(str(folder), keep=10) as manager:
      assert checkpoint.restore_newest(manager, _like(), CONFIG).step == 1
      checkpoint.save(manager, 2, _state(2), CONFIG)
    _assert_is(_restore(folder), 2)
    _no_state(folder / "2")
  _restore(folder)
  names = ["1", "2.damaged", "2.damaged.2", "2.damaged.3"]
  assert sorted(os.listdir(folder)) == names


def test_nothing_is_renamed_where_nothing_can_be_read(folder):
  _no_config(folder / "1")
  _no_state(folder / "2")
  message = (
    rf"^No checkpoint in {folder} can be read \(steps \[1, 2\]; 2: state cannot"
    r" be read: .*another --workdir\.$"
  )
  with pytest.raises(checkpoint.CheckpointError, match=message):
    _restore(folder)
  assert sorted(os.listdir(folder)) == ["1", "2"]


def test_a_step_of_another_network_is_no_damage(folder):
  _no_state(folder / "2")
  like = _like()._replace(step=jax.ShapeDtypeStruct((3,), np.int32))
  message = r"Checkpoint 1 in .* step is int32\[\] there and int32\[3\] here"
  with pytest.raises(checkpoint.CheckpointError, match=message):
    _restore(folder, like=like)
  assert sorted(os.listdir(folder)) == ["1", "2"]


def _configs(**changes):
  """A pretraining's settings, some of them changed; two underscores: a dot."""
  settings = {
    "network": {"encoder": "one_conv", "width_multiplier": 1, "hidden": [8]},
    "objective": {"temperature": 0.1},
    "target": {"kind": "moving_average", "base_decay": 0.99},
    "optimizer": {"name": "lars", "base_learning_rate": 0.2},
    "training": {"num_epochs": 100.0},
  }
  for key, value in changes.items():
    part, name = key.split("__")
    settings[part] = {**settings[part], name: value}
  return json.dumps(settings)


@pytest.mark.parametrize(
  ("changes", "sentence"),
  [
    ({"network__width_multiplier": 2}, "network.width_multiplier is 1 there"),
    (
      {"network__hidden": [9], "objective__temperature": 1.0},
      r"network.hidden is \[8\] there and \[9\] here; objective.temperature is"
      r" 0.1 there and 1.0 here; go on with those settings, or .* --workdir\.$",
    ),
    (
      {"target__kind": "online"},
      'target.kind is "moving_average" there and "o',
    ),
    ({"optimizer__name": "sgd"}, 'optimizer.name is "lars" there and "sgd"'),
  ],
)
def test_a_step_of_other_settings_is_refused(tmp_path, changes, sentence):
  with checkpoint.open_manager(str(tmp_path), keep=10) as manager:
    for step, config in ((1, _configs(**changes)), (2, _configs())):
      checkpoint.save(manager, step, _state(step), config)
  with pytest.raises(checkpoint.CheckpointError, match=sentence):
    _restore(tmp_path, _configs(**changes))
  assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_lengths_rates_and_new_keys_may_change(tmp_path):
  with checkpoint.open_manager(str(tmp_path), keep=10) as manager:
    checkpoint.save(manager, 1, _state(1), _configs())
  changed = {
    "training__num_epochs": 200.0,
    "optimizer__base_learning_rate": 0.1,
    "target__base_decay": 0.9,
    "network__new": True,
  }
  found = _restore(tmp_path, _configs(**changed))
  _assert_is(found, 1)
  assert len(found.changes) == 4


def test_a_checkpoint_without_checksums_is_read(folder):
  file = folder / "2" / "config" / "metadata"
  described = json.loads(file.read_text())
  for key in ("leaves", "crc32", "pending"):
    del described[key]
  file.write_text(json.dumps(described))
  _assert_is(_restore(folder), 2)


def test_hosts_pass_over_what_one_of_them_cannot_read(folder, monkeypatch):
  answers = iter([[2, 2], [7, 7], [0, 1], [0, 0], [0, 0]])
  monkeypatch.setattr(
    checkpoint.parallel, "everywhere", lambda value: np.array(next(answers))
  )
  _assert_is(_restore(folder), 1)
  assert sorted(os.listdir(folder)) == ["1", "2.damaged"]


def test_load_params_passes_over_and_renames_nothing(folder, lines):
  _no_state(folder / "2")
  tree, config = checkpoint.load_params(str(folder))
  assert tree["step"] == 1
  assert config == json.loads(CONFIG)
  (line,) = lines()
  assert line.startswith(f"Checkpoint 2 in {folder} is damaged (state cannot")
  assert sorted(os.listdir(folder)) == ["1", "2"]


def test_load_params_refuses_a_named_step_that_is_damaged(folder, lines):
  _no_state(folder / "2")
  assert checkpoint.load_params(str(folder / "1"))[0]["step"] == 1
  message = rf"^No checkpoint in {folder}/2 can be read \(steps \[2\]; 2: state"
  with pytest.raises(checkpoint.CheckpointError, match=message):
    checkpoint.load_params(str(folder / "2"))
  assert lines() == []


def test_load_params_needs_one_step_that_can_be_read(folder):
  _no_state(folder / "2")
  _no_config(folder / "1")
  message = r"can be read \(steps \[1, 2\]; 2: state cannot be read"
  with pytest.raises(checkpoint.CheckpointError, match=message):
    checkpoint.load_params(str(folder))
