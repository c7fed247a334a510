"""What a soak found: its log, what was not as promised, and a table."""

import json
import statistics

from byol_jax import exits, intact

# A machine with other work starts two Pythons slowly; a TPU host does not.
_PROMPT_SECS = 60.0
_WITH_SENTENCE = (exits.STOPPED, exits.FAILED, exits.REFUSED)
# By JAX itself, where the host that all ask was killed.
_KILLED, _TERMINATED, _ABORTED = -9, -15, -6
_STEPS_KEPT = 10  # Two checkpoints' distance: the newest is being written.


def tell(line, log):
  """Adds a line to the log, and shows what matters of it."""
  intact.append(json.dumps(line) + "\n", log)
  shown = {k: v for k, v in line.items() if k != "said"}
  print(json.dumps(shown), flush=True)


def complaints(lines):
  """One sentence for each promise that was broken."""
  found = []
  for line in lines:
    if line.get("differing"):
      found.append(f"round {line['round']} differs: {line['differing']}")
    elif "codes" in line:
      where = f"kill {line.get('number', 'none')}"
      found += [f"{where}: {text}" for text in _of_one(line)]
  return found


def _of_one(line):
  """What is wrong with one start of the two processes."""
  if line.get("last"):
    ended = line["codes"] == [0, 0]
    return [] if ended else [f"undisturbed, it gave {line['codes']}"]
  found = ["nothing happened before the signal"] if line["stuck"] else []
  if line["phase"] != "start-up":
    found += [f"process {n} hung" for n in line["hung"]]
  found += [
    f"process {n} gave a traceback"
    for n, x in enumerate(line["traceback"])
    if x and line["codes"][n] != _ABORTED
  ]
  worst = max(line["secs"])
  if worst > _PROMPT_SECS and not line["hung"]:
    found.append(f"the last process ended after {worst:.0f} s")
  for number, code in enumerate(line["codes"]):
    if number not in line["hung"] and code not in _allowed(line, number):
      found.append(f"process {number} gave {code}")
    if code in _WITH_SENTENCE and not line["sentence"][number]:
      found.append(f"process {number} gave {code} without a sentence")
  if line["codes"] == [exits.STOPPED] * 2 and line["step"] > line["saved"]:
    found.append(f"step {line['step']}, saved {line['saved']}, but asked to")
  if line["step"] - line["saved"] > _STEPS_KEPT:
    found.append(f"steps lost: {line['step']} but {line['saved']} saved")
  return found


def _allowed(line, number):
  """Codes that a process may give."""
  is_kill = line["signal"] == "SIGKILL"
  allowed = {0, _KILLED if is_kill else exits.STOPPED}
  if is_kill and number not in line["targets"]:
    allowed = {0, exits.FAILED}
    if 0 in line["targets"]:
      allowed |= {_ABORTED}
  if not is_kill and line["phase"] == "start-up":
    # Python itself is not up, or the other one is gone.
    allowed |= {_TERMINATED, exits.FAILED}
  if line["pressure"] == "disk":
    # Too little room for a checkpoint refuses the run.
    allowed |= {exits.FAILED, exits.REFUSED}
  return allowed


def table(lines):
  """Markdown: a row for each moment and signal, then the rounds."""
  rows = [
    "| moment | signal | times | exit codes | s until both ended: median,"
    " longest | steps done again: median, most |",
    "|---|---|---|---|---|---|",
  ]
  groups = {}
  for line in lines:
    if "phase" in line:
      groups.setdefault((line["phase"], line["signal"]), []).append(line)
  for (phase, name), group in sorted(groups.items()):
    secs = [max(line["secs"]) for line in group]
    # A step whose evaluation is left for later is saved and not recorded.
    again = [max(line["step"] - line["saved"], 0) for line in group]
    codes = sorted({code for line in group for code in line["codes"]})
    rows.append(
      f"| {phase} | {name} | {len(group)} | {', '.join(map(str, codes))}"
      f" | {statistics.median(secs):.1f}, {max(secs):.1f}"
      f" | {statistics.median(again):g}, {max(again)} |"
    )
  rounds = [line for line in lines if "differing" in line]
  equal = sum(not line["differing"] for line in rounds)
  arrays = rounds[-1]["arrays"] if rounds else 0
  rows.append(
    f"\n{equal} of {len(rounds)} rounds equal the unbroken run to the bit:"
    f" {arrays} arrays, metrics.jsonl and the scores of summary.json."
  )
  return "\n".join(rows)
