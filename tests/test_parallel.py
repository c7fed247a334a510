import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel


def test_shard_then_gather_gives_back_the_batch():
  batch = {"x": np.arange(24, dtype=np.float32).reshape(8, 3)}
  spread = parallel.shard(batch)["x"]
  assert spread.shape == (2, 4, 3)
  np.testing.assert_array_equal(parallel.gather(spread), batch["x"])


def test_shard_gives_each_device_its_own_part():
  spread = parallel.shard({"x": np.arange(4)})["x"]
  parts = {shard.device: shard.data for shard in spread.addressable_shards}
  assert len(parts) == 2
  for number, device in enumerate(jax.local_devices()):
    expected = np.array([[2 * number, 2 * number + 1]])
    np.testing.assert_array_equal(parts[device], expected)


def test_first_takes_one_replica():
  tree = {"a": np.arange(3, dtype=np.int32), "b": np.float32(2.0)}
  wide = parallel.replicate(tree)
  assert wide["a"].shape == (2, 3)
  got = parallel.first(wide)
  np.testing.assert_array_equal(got["a"], tree["a"], strict=True)
  assert got["b"] == 2.0
  assert isinstance(got["a"], np.ndarray)


def test_pmap_averages_over_the_axis():
  mean = parallel.pmap(lambda x: jax.lax.pmean(x, parallel.AXIS))
  spread = parallel.shard({"x": np.array([1.0, 5.0], np.float32)})["x"]
  np.testing.assert_array_equal(parallel.gather(mean(spread)), [3.0, 3.0])


def test_one_device_gives_a_function_its_axis():
  run = parallel.one_device(lambda x: x + jax.lax.psum(x, parallel.AXIS))
  np.testing.assert_array_equal(run(jnp.array([1.0, 2.0])), [2.0, 4.0])


def test_prefetch_keeps_the_order_and_stays_two_ahead():
  placed = []

  def place(item):
    placed.append(item)
    return -item

  items = parallel.prefetch(range(5), place)
  assert next(items) == 0
  assert placed == [0, 1]
  assert list(items) == [-1, -2, -3, -4]


def test_prefetch_takes_no_more_than_it_places_ahead():
  taken = []

  def endless():
    while True:
      taken.append(len(taken))
      yield taken[-1]

  items = parallel.prefetch(endless(), lambda x: x)
  for _ in range(3):
    next(items)
  assert len(taken) == 4


@pytest.mark.parametrize(
  "arguments",
  [("host:1", None, None), (None, 2, 0), (None, None, 0), ("host:1", 2, None)],
)
def test_initialize_wants_all_three_or_none(arguments):
  with pytest.raises(ValueError, match="go together"):
    parallel.initialize(*arguments)


@pytest.mark.parametrize("text", ["two", "4(x2)", "-2", "1.5"])
def test_a_cluster_that_says_no_number_is_named(monkeypatch, text):
  monkeypatch.setenv("SLURM_STEP_NODELIST", "node")
  monkeypatch.setenv("SLURM_NTASKS", text)
  with pytest.raises(ValueError, match=r"^SLURM_NTASKS=.* in the environment"):
    parallel.initialize()


def test_everywhere_says_what_this_host_says():
  np.testing.assert_array_equal(parallel.everywhere(7), [7])
