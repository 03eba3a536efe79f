// What the runs of a visit may hold in the browser. Above that, those drawn longest ago let go of their steps, and if this
// is not enough, of the copies of their files; runs with a star in the history come last. The last picture of each size
// and the place in the tree stay. The run that is shown and the one that it is compared with are left alone.
const HELD_RUNS = 30; // whose steps are kept
const HELD_BYTES = 150e6; // of encoded pictures and files
const STEPS_GONE = "To save memory, the page keeps only the last picture of each size of this run: press Generate to draw its steps again.";

class RunMemory {
  constructor(lanes) {
    this.lanes = lanes;
  }

  trim(runs, shown) {
    const tooMany = () => runs.filter((run) => !run.released).length > HELD_RUNS;
    const tooLarge = () => this.bytes(runs) > HELD_BYTES;
    if (!tooMany() && !tooLarge()) return;
    const others = this.inTurn(runs.filter((run) => run !== shown && !this.compared(run)));
    for (const run of others) if (!run.released && (tooMany() || tooLarge())) this.letGoOfSteps(run);
    for (const run of others) if (tooLarge()) for (const file of heldFiles(run)) file.kept.letGo();
  }

  // Frames are counted once: a fork holds those of its parent.
  bytes(runs) {
    const stages = [...this.lanes, ...this.lanes.map((lane) => lane.kept || lane), ...runs.flatMap((run) => [...run.lanes.values()])];
    const sum = (sizes) => [...sizes].reduce((total, { bytes }) => total + bytes, 0);
    const files = stages.flatMap((stage) => stage.files.map((file) => file.kept));
    return sum(new Set(stages.flatMap((stage) => stage.frames))) + sum(new Set(files));
  }

  // In the order in which they let go.
  inTurn(runs) {
    const entries = new HistoryStore().byLink();
    const starred = (run) => heldFiles(run).some((file) => entries.get(file.link)?.starred);
    const stars = new Map(runs.map((run) => [run, Number(starred(run))]));
    return [...runs].sort((one, other) => stars.get(one) - stars.get(other) || one.begunAt - other.begunAt);
  }

  compared(run) {
    return this.lanes.some((lane) => lane.kept && lane.kept.frames.length && lane.kept.frames === run.lanes.get(lane.stage.name).frames);
  }

  letGoOfSteps(run) {
    for (const [stage, held] of run.lanes) run.lanes.set(stage, { ...held, frames: held.frames.slice(-1) });
    run.released = true;
  }
}

function heldFiles(run) {
  return [...run.lanes.values()].flatMap((held) => held.files);
}
