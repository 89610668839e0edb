// A small line of the delay over the last minute, with its highest value and the aim.

const SECONDS = 60;

export class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.points = []; // [ms of the clock, ms of delay]
  }

  add(now, delay) {
    this.points.push([now, delay]);
    while (this.points.length && this.points[0][0] < now - SECONDS * 1000) this.points.shift();
  }

  clear() {
    this.points = [];
    this.draw(performance.now());
  }

  draw(now) {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    this.canvas.width = clientWidth * ratio;
    this.canvas.height = clientHeight * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
        const top = Math.max(200, ...this.points.map(([, delay]) => delay)) * 1.1;
    const x = (time) => clientWidth * (1 - (now - time) / (SECONDS * 1000));
    const y = (delay) => clientHeight - 1 - (clientHeight - 2) * (delay / top);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = style.caretColor;
    context.strokeStyle = style.outlineColor;
    context.setLineDash([3, 3]);
    const mark = top > 1500 ? 1000 : top > 600 ? 500 : 100;
    context.beginPath();
    context.moveTo(0, y(mark));
    context.lineTo(clientWidth, y(mark));
    context.stroke();
    context.fillText(`${mark} ms`, 0, y(mark) - 3);
    context.setLineDash([]);
    context.strokeStyle = style.color;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    this.points.forEach(([time, delay], k) => {
      const gap = k && time - this.points[k - 1][0] > 2000;
      if (k && !gap) context.lineTo(x(time), y(delay));
      else context.moveTo(x(time), y(delay));
    });
    context.stroke();
  }
}
