// The server's own source: its pictures with their tracks come down, as many as this page is quick enough for.

import { Link } from "./link.js";

const CREDIT = 2;

export class Watch {
  /** handlers: as those of Visit. */
  constructor(handlers) {
    this.handlers = handlers;
    this.way = 0; // ms that half a round trip takes
    this.skipped = 0;
    this.last = null; // number of the last frame
    this.link = new Link("/watch", {
      open: () => {
        for (let k = 0; k < CREDIT; k++) this.ready();
      },
      message: (message) => (message instanceof ArrayBuffer ? this.picture(message) : handlers.said(message)),
      lost: handlers.lost,
      failed: handlers.failed,
    });
  }

  say(message) {
    if (message.type === "record") this.link.send(message); // everything else is the server's own choice
  }

  close() {
    this.link.close();
  }

  ready() {
    this.link.send({ type: "ready", at: performance.now() });
  }

  async picture(message) {
    const came = performance.now();
    const length = new DataView(message).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, length)));
    const image = await createImageBitmap(new Blob([new Uint8Array(message, 4 + length)], { type: "image/jpeg" }));
    this.ready();
    if (head.at !== undefined) this.way = Math.max(0, (came - head.at - head.held) / 2);
    if (this.last !== null) this.skipped += Math.max(0, head.frame - this.last - 1);
    this.last = head.frame;
    this.handlers.tracks(head, image, (now) => head.age + this.way + now - came);
  }
}
