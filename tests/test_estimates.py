import types

import pytest

from byol_jax import chips, estimates, hlo

V3 = chips.CHIPS["v3"]
FACTS = estimates.Facts(
  batch_size=4096,
  num_devices=512,
  num_steps=1000,
  arguments=4 * 10**9,
  results=10**9,
  temporaries=2 * 10**9,
  code=5 * 10**8,
  waiting=10**7,
  flops=513e9,
  num_bytes=16e9,
  roofline_secs=0.04,
  cycles=47_000_000,
  collectives={"all-reduce": hlo.Traffic(104, 150_000_000)},
  compile_secs=60.0,
)


def test_what_a_loop_does_is_counted_as_often(monkeypatch):
  work = hlo.Work(cycles=300, cycles_once=100, collectives={})
  monkeypatch.setattr(hlo, "read", lambda text: work)
  memory = types.SimpleNamespace(
    argument_size_in_bytes=10,
    output_size_in_bytes=9,
    alias_size_in_bytes=8,
    temp_size_in_bytes=5,
    generated_code_size_in_bytes=2,
  )
  analysis = {"flops": 7.0, "bytes accessed": 5.0, "optimal_seconds": 2.0}
  compiled = types.SimpleNamespace(
    memory_analysis=lambda: memory,
    cost_analysis=lambda: analysis,
    as_text=lambda: "",
  )
  assert estimates.costs(compiled, num_parts=4) == {
    "arguments": 10,
    "results": 1,
    "temporaries": 5,
    "code": 2,
    "flops": 28.0,
    "num_bytes": 15.0,
    "roofline_secs": 6.0,
    "cycles": 300,
    "collectives": {},
  }


def test_rows_say_memory_rates_and_hours():
  found = {row.name: row.text for row in estimates.rows(FACTS, V3)}
  assert found["images a device"] == "8"
  # 7.51 GB of 15.48 GiB.
  assert found["memory"] == "7.510 GB, 45.2% of the device's"
  assert found["all-reduce"] == "0.150 GB in 104"
  assert found["step by the roofline"] == "40.00 ms"
  # 47 million cycles at 0.94 GHz.
  assert found["step by the cycles"] == "50.00 ms"
  assert found["images/s by the cycles"] == "81,920"
  assert found["run by the cycles"] == "0.01 hours"


def test_a_roofline_that_the_compiler_does_not_know_is_no_time():
  unknown = FACTS._replace(roofline_secs=-78.9)
  columns = tuple(estimates.rows(facts, V3) for facts in (FACTS, unknown))
  found = {row.name: row.text for row in columns[1]}
  assert found["step by the roofline"] == "not known to the compiler"
  assert "run by the roofline" not in found
  assert found["step by the cycles"] == "50.00 ms"
  lines = estimates.table(("a", "b"), columns).splitlines()
  (line,) = (x for x in lines if x.startswith("step by the roofline"))
  assert line.endswith("compiler")


def test_two_configs_stand_beside_each_other():
  faster = FACTS._replace(cycles=23_500_000, collectives={})
  columns = tuple(estimates.rows(facts, V3) for facts in (FACTS, faster))
  lines = estimates.table(("a", "b"), columns).splitlines()
  assert lines[0].split() == ["a", "b", "ratio"]
  (cycles,) = (line for line in lines if line.startswith("cycles"))
  assert cycles.split() == ["cycles", "47.00", "M", "23.50", "M", "0.500"]
  (alone,) = (line for line in lines if line.startswith("all-reduce"))
  assert alone.endswith("in 104")


@pytest.mark.parametrize(
  ("error", "too_large"),
  [
    ("RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total", True),
    ("RESOURCE_EXHAUSTED: Ran out of memory in memory space vmem.", False),
    ("INTERNAL: hbm", False),
  ],
)
def test_only_a_lack_of_hbm_is_too_large(error, too_large):
  assert estimates.says_too_large(error) == too_large
