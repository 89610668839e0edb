// A WebSocket that comes back by itself, and says in a word why it cannot.

const FIRST_WAIT = 500; // ms
const LONGEST_WAIT = 8000;
const FULL = 1013;
const OVERRUN = 1008;

/**
 * handlers: open(), message(object or ArrayBuffer), lost(ms until the next try), failed(key of FAILURES, reason).
 */
export class Link {
  constructor(path, handlers) {
    this.path = path;
    this.handlers = handlers;
    this.wait = FIRST_WAIT;
    this.wanted = true;
    this.connect();
  }

  get ready() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(data) {
    if (this.ready) this.socket.send(typeof data === "object" && data.type ? JSON.stringify(data) : data);
  }

  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => this.wanted && this.handlers.open();
    socket.onmessage = ({ data }) => {
      if (!this.wanted) return;
      this.wait = FIRST_WAIT;
      this.handlers.message(typeof data === "string" ? JSON.parse(data) : data);
    };
    socket.onclose = ({ code, reason }) => this.wanted && this.closed(code, reason);
  }

  async closed(code, reason) {
    if (code === FULL) return this.end("full", reason);
    if (code === OVERRUN) return this.end("refused", reason);
    const answer = await fetch("/hello").catch(() => null);
    if (!this.wanted) return undefined;
    if (answer?.status === 401) return this.end("token");
    this.handlers.lost(this.wait);
    this.timer = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    return undefined;
  }

  end(key, reason) {
    this.wanted = false;
    this.handlers.failed(key, reason);
  }
}
