// How large and how often: pictures as good as the link carries, sent when the server is free for them.

const LADDER = [
  { side: 320, quality: 0.5 },
  { side: 480, quality: 0.6 },
  { side: 640, quality: 0.75 },
  { side: 960, quality: 0.75 },
];
const WINDOW = 12; // answers that are looked at together
const SLOW_LINK = 180; // ms on the way, from which pictures become smaller
const FAST_LINK = 40; // ms on the way, below which they may become larger, if
const FAST_SERVER = 35; // ms in the networks leave room for it
// A picture may wait a little at the server, so that the server never waits. In a simulation with 8 visitors
// this halves what they wait (0.17 s in place of 0.45) for a tenth of the server's pictures.
const SPARE = 6; // ms
const SPARE_SHARE = 0.25; // of what a picture takes
const GAIN = 0.15; // of the wait above it, by which the interval grows
const DECAY = 0.9;

export class Pace {
  constructor() {
    this.level = 2;
    this.interval = 0; // ms from one picture to the next, at least
    this.hold = false; // a recording wants one size
    this.samples = [];
    this.last = -Infinity;
    this.patience = 0;
  }

  get shape() {
    return LADDER[this.level];
  }

  due(now) {
    return now - this.last >= this.interval;
  }

  sent(now) {
    this.last = now;
  }

  /** An answer: ms on the way, ms that the picture waited for the networks, ms that they took. */
  account(transport, waited, took) {
    const spare = Math.max(SPARE, SPARE_SHARE * took);
    if (waited > spare) {
      const slower = Math.min(this.interval + GAIN * (waited - spare), took + waited);
      this.interval = Math.max(this.interval, slower);
    } else this.interval *= DECAY;
    this.samples.push([transport, took]);
    if (this.samples.length < WINDOW) return;
    const [link, server] = [0, 1].map((k) => median(this.samples.map((sample) => sample[k])));
    this.samples = [];
    if (this.hold) return;
    if (link > SLOW_LINK && this.level > 0) {
      this.level -= 1;
      this.patience = 6; // windows before it is tried again
    } else if (link < FAST_LINK && server < FAST_SERVER && this.patience-- <= 0) {
      this.level = Math.min(this.level + 1, LADDER.length - 1);
    }
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
