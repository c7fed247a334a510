import pytest

from byol_jax import hlo

# As libtpu 0.0.42 writes it, with shorter names and without what is not read.
PROGRAM = """\
HloModule jit_step, is_scheduled=true, num_partitions=8

%region_0.0 (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(256)} parameter(0)
  ROOT %add.0 = f32[]{:T(256)} add(%a, %b), backend_config={"flag_configs":[]}
}

%fused.1 (p.0: f32[8,4]) -> f32[8,4] {
  ROOT %convolution.3 = f32[8,4]{1,0:T(8,128)} convolution(%p.0, %p.0)
}

%body.2 (p.1: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %fusion.2 = f32[8,4]{1,0} fusion(%x), kind=kOutput, calls=%fused.1, \
backend_config={"window_config":{"estimated_cycles":"100","x":"1"}}
  %gather.1 = bf16[16,4]{1,0} all-gather(%fusion.2), dimensions={0}
}

%condition.2 (p.2: (s32[], f32[8,4])) -> pred[] {
  %limit = s32[]{:T(256)} constant(5)
  ROOT %lt.3 = pred[]{:T(1024)} compare(%i, %limit), direction=LT
}

ENTRY %main.4_spmd (p.3: f32[1,8,4], p.4: s32[]) -> f32[1,8,4] {
  %copy.12 = f32[1,8,4]{2,1,0:T(8,128)} copy(%p.3), \
backend_config={"window_config":{"estimated_cycles":"7"}}
  %while.10 = (s32[], f32[8,4]) while(%t), condition=%condition.2, body=%body.2
  %all-reduce.1 = (f32[10]{0:T(256)}, pred[3]{0}) all-reduce(%a, %b), \
replica_groups={{0,1}}, to_apply=%region_0.0
  %begun = (f32[2]{0}, f32[2]{0}, u32[]{:S(2)}) collective-permute-start(%c)
  %done = f32[2]{0} collective-permute-done(%begun)
  ROOT %fusion.9 = f32[1,8,4]{2,1,0} fusion(%all-reduce.1), calls=%fused.1, \
backend_config={"window_config":{"estimated_cycles":"20"}}
}
"""


def test_cycles_are_added_as_often_as_loops_turn():
  work = hlo.read(PROGRAM)
  assert (work.cycles, work.cycles_once) == (7 + 5 * 100 + 20, 127)


def test_collectives_are_counted_with_the_bytes_of_their_results():
  assert hlo.read(PROGRAM).collectives == {
    "all-reduce": hlo.Traffic(1, 10 * 4 + 3),
    "all-gather": hlo.Traffic(5, 5 * 16 * 4 * 2),
    "collective-permute": hlo.Traffic(1, 2 * 4),
  }


def test_an_exchange_beside_other_work_counts_once():
  line = "  %{} = f32[4]{{0}} all-gather(%x), channel_id=1, attributes={{{}}}\n"
  chained = [line.format(f"a.{n}", 'chain_id="3"') for n in range(3)]
  apart = [line.format(f"b.{n}", "") for n in range(2)]
  work = hlo.read("\n".join(["ENTRY %main () -> f32[] {", *chained, *apart]))
  assert work.collectives == {"all-gather": hlo.Traffic(3, 3 * 4 * 4)}


@pytest.mark.parametrize(
  ("old", "new"),
  [("direction=LT", "direction=GT"), ("constant(5)", "add(%a, %b)")],
)
def test_a_loop_whose_end_is_not_read_counts_once(old, new):
  assert hlo.read(PROGRAM.replace(old, new)).cycles == 127


def test_a_text_that_is_no_program_has_no_cycles():
  assert hlo.read("nothing") == hlo.Work(0, 0, {})
