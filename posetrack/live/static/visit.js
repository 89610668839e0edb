// The visitor's camera: its pictures up, two on the way at most, tracks down.

import { everyFrame, grabJpeg } from "./camera.js";
import { Link } from "./link.js";
import { Pace } from "./pace.js";

const HEADER = 12; // bytes: number, moment of capture

export class Visit {
  /**
   * handlers: opened(), tracks(message, image or null, delay), lost(wait), failed(key, reason), said(message).
   * inStep(): whether each picture is kept, to be shown together with its skeletons.
   */
  constructor(video, hello, handlers, inStep) {
    this.video = video;
    this.handlers = handlers;
    this.inStep = inStep;
    this.pace = new Pace();
    this.small = document.createElement("canvas"); // the picture that is sent
    this.kept = new Map(); // number of a picture on its way to the picture
    this.number = this.credit = this.seen = this.sent = 0;
    this.encoding = false;
    this.link = new Link("/visit", {
      open: () => {
        this.credit = hello.credit;
        this.kept.clear();
        handlers.opened();
      },
      message: (message) => this.answered(message),
      lost: handlers.lost,
      failed: handlers.failed,
    });
    this.endFrames = everyFrame(video, (moment) => this.offer(moment));
  }

  get skipped() {
    return Math.max(0, this.seen - this.sent);
  }

  say(message) {
    this.link.send(message);
  }

  close() {
    this.endFrames();
    this.link.close();
  }

  async offer(moment) {
    this.seen += 1;
    const now = performance.now();
    if (this.encoding || !this.link.ready || this.credit < 1 || !this.pace.due(now) || !this.video.videoWidth) return;
    this.encoding = true;
    this.credit -= 1;
    this.pace.sent(now);
    const socket = this.link.socket;
    const number = this.number++;
    const { side, quality } = this.pace.shape;
    const blob = await grabJpeg(this.video, this.small, side, quality);
    const jpeg = await blob?.arrayBuffer();
    if (this.inStep()) this.kept.set(number, await createImageBitmap(this.small));
    this.encoding = false;
    if (socket !== this.link.socket || !this.link.ready || !jpeg) return;
    const message = new Uint8Array(HEADER + jpeg.byteLength);
    const header = new DataView(message.buffer);
    header.setUint32(0, number, true);
    header.setFloat64(4, moment, true);
    message.set(new Uint8Array(jpeg), HEADER);
    this.link.send(message);
    this.sent += 1;
  }

  answered(message) {
    const image = this.kept.get(message.number) ?? null;
    this.kept.delete(message.number);
    if (message.type === "tracks") {
      this.credit += 1;
      const delay = performance.now() - message.moment;
      this.pace.account(delay - message.waited - message.took, message.waited, message.took);
      this.handlers.tracks(message, image, (now) => now - message.moment);
    } else if (message.type === "bad") {
      this.credit += 1;
      this.handlers.said(message);
    } else {
      this.handlers.said(message);
    }
  }
}
