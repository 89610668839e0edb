// The stage: a picture where the server or "in step" asks for one, the skeletons over it, and what is counted.

import { drawTracks, fit, Trails } from "./draw.js";
import { median } from "./pace.js";

export class Stage {
  /** options(): {jointScore, personScore, labels, trails, mirrored} as the controls have them. */
  constructor(picture, drawing, options) {
    this.picture = picture;
    this.drawing = drawing;
    this.options = options;
    this.begin(null);
  }

  /** Forget what was shown. Args: hello: skeleton and palette. */
  begin(hello) {
    this.hello = hello;
    this.newest = null;
    this.image = null;
    this.trails = new Trails();
    this.delays = [];
    this.times = [];
    this.people = 0;
    for (const canvas of [this.picture, this.drawing]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }

  /** New tracks, and the picture that they belong to, if it is to be shown with them. */
  take(tracks, image) {
    this.image?.close?.();
    this.image = image;
    this.newest = tracks;
    this.trails.update(tracks, this.hello.skeleton.keypoints, this.options().jointScore);
  }

  draw() {
    if (!this.newest) return;
    const { mirrored, trails, ...chosen } = this.options();
    for (const canvas of [this.picture, this.drawing]) resize(canvas);
    const view = fit(this.drawing, this.newest.width, this.newest.height, mirrored);
    if (this.image) this.drawPicture(view, mirrored);
    const context = this.drawing.getContext("2d");
    context.clearRect(0, 0, this.drawing.width, this.drawing.height);
    this.people = drawTracks(context, view, this.newest, {
      ...chosen,
      skeleton: this.hello.skeleton,
      palette: this.hello.palette,
      trails: trails ? this.trails : null,
    });
  }

  drawPicture({ left, top, width, height, scale }, mirrored) {
    const context = this.picture.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.picture.width, this.picture.height);
    if (mirrored) context.setTransform(-1, 0, 0, 1, this.picture.width, 0);
    context.drawImage(this.image, left, top, width * scale, height * scale);
  }

  /** Count a drawing. Args: now, delay: ms. */
  count(now, delay) {
    this.times.push(now);
    this.delays.push(delay);
    if (this.delays.length > 30) this.delays.shift();
  }

  /** {rate, delay} of the last two seconds; nothing drawn in them: the skeletons go. */
  numbers(now) {
    this.times = this.times.filter((time) => time > now - 2000);
    if (!this.times.length) this.drawing.getContext("2d").clearRect(0, 0, this.drawing.width, this.drawing.height);
    return { rate: this.times.length / 2, delay: this.times.length ? median(this.delays) : null };
  }
}

function resize(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}
