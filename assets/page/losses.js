// Gradio tells that a run broke off, but not which; of one that was stopped it may tell seconds later, when the next one
// has been sent, and before the server has answered the press on Stop. Such news after a stop are believed only where the
// server then stays silent: the first, all that come before that answer, and those that repeat the first at once.
class Losses {
  constructor(lost) {
    this.lost = lost;
    this.heardAt = -Infinity;
    this.owed = false; // the news of a run that was stopped
    this.stopping = false; // Stop was pressed, and the server has not answered
    this.doubtedAt = -Infinity;
  }

  heard() {
    this.heardAt = performance.now();
  }

  stop() {
    this.stopping = true;
  }

  stopped() {
    Object.assign(this, { owed: true, stopping: false });
  }

  told() {
    const now = performance.now();
    const repeated = now - this.doubtedAt < 1000;
    if (!this.owed && !this.stopping && !repeated) return this.lost();
    Object.assign(this, { owed: false, doubtedAt: now });
    setTimeout(() => this.heardAt > now || this.lost(), 5000);
  }
}

// A server that dies says nothing, and gradio waits for it for good; one that was started anew knows of no run before.
// So where a run has been silent for long, ask.
function watchServer(losses, running) {
  let asking = false;
  setInterval(async () => {
    const { heardAt } = losses;
    if (asking || !running() || performance.now() - heardAt < 6000) return;
    asking = true;
    const there = await sameServer();
    asking = false;
    if (!there && heardAt === losses.heardAt) losses.lost();
  }, 3000);
}

async function sameServer() {
  const address = `${location.pathname.replace(/\/$/, "")}/gradio_api/app_id`;
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(8000) });
    return answer.ok && (await answer.json()).app_id === window.gradio_config.app_id;
  } catch {
    return false;
  }
}
