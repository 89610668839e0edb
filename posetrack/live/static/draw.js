// Skeletons on a canvas, as posetrack/drawing/overlay.py draws them: the colour of the identity, the person's
// left side lighter and right side darker, joints fading with their score, a label over the head.

const GOLDEN = 0.618034;
const OPACITY = [0, 0.4, 0.6, 0.8, 1];
const FULL = 0.35; // above the threshold: from here on nothing fades
const HEAD = ["nose", "eye", "ear", "head"];

/** The colour of an identity as [r, g, b]: the palette first, then hues a golden section apart. */
export function colourOf(id, palette) {
  if (id >= 1 && id <= palette.length) return palette[id - 1];
  const lightness = [0.62, 0.47, 0.76][id % 3];
  return hlsToRgb((id * GOLDEN) % 1, lightness, 0.85);
}

function hlsToRgb(h, l, s) {
  const high = l <= 0.5 ? l * (1 + s) : l + s - l * s;
  const low = 2 * l - high;
  const channel = (hue) => {
    const t = ((hue % 1) + 1) % 1;
    if (t < 1 / 6) return low + (high - low) * t * 6;
    if (t < 1 / 2) return high;
    if (t < 2 / 3) return low + (high - low) * (2 / 3 - t) * 6;
    return low;
  };
  return [h + 1 / 3, h, h - 1 / 3].map((hue) => Math.round(255 * channel(hue)));
}

const mix = (colour, towards, share) => colour.map((c) => Math.round(c + (towards - c) * share));
const css = (colour, alpha = 1) => `rgb(${colour.join(" ")} / ${alpha})`;

/** Where the picture lies on a canvas that shows all of it: scale, offsets, mirrored or not. */
export function fit(canvas, width, height, mirrored) {
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const left = (canvas.width - width * scale) / 2;
  const top = (canvas.height - height * scale) / 2;
  const x = (px) => left + (mirrored ? width - px : px) * scale;
  return { scale, left, top, width, height, x, y: (py) => top + py * scale };
}

/** Remembers where everybody's feet (or hips) were in the last second. */
export class Trails {
  constructor(seconds = 1) {
    this.seconds = seconds;
    this.paths = new Map();
  }

  update(tracks, keypoints, threshold) {
    for (const person of tracks.people) {
      const step = this.step(person, keypoints, threshold);
      if (!step) continue;
      const path = this.paths.get(person.id) ?? [];
      path.push({ time: tracks.time, ...step });
      this.paths.set(person.id, path);
    }
    this.now = tracks.time;
    for (const [id, path] of this.paths) {
      const recent = path.filter((s) => s.time >= tracks.time - this.seconds && s.time <= tracks.time);
      if (recent.length) this.paths.set(id, recent);
      else this.paths.delete(id);
    }
  }

  step(person, keypoints, threshold) {
    for (const part of ["ankle", "hip"]) {
      const pair = person.keypoints.filter((_, k) => keypoints[k].endsWith(part));
      if (pair.length === 2 && pair.every(([, , score]) => score > 0 && score >= threshold)) {
        return { part, x: (pair[0][0] + pair[1][0]) / 2, y: (pair[0][1] + pair[1][1]) / 2 };
      }
    }
    return null;
  }

  draw(context, view, palette, width) {
    context.lineCap = "round";
    for (const [id, path] of this.paths) {
      for (let k = 1; k < path.length; k++) {
        if (path[k].part !== path[k - 1].part) continue;
        const age = (this.now - path[k].time) / this.seconds;
        context.strokeStyle = css(colourOf(id, palette), 0.75 * (1 - age));
        context.lineWidth = width(id) * (1 - 0.7 * age);
        context.beginPath();
        context.moveTo(view.x(path[k - 1].x), view.y(path[k - 1].y));
        context.lineTo(view.x(path[k].x), view.y(path[k].y));
        context.stroke();
      }
    }
  }
}

/**
 * Draw everybody of a frame; whoever stands lower is nearer, and in front.
 * options: skeleton {keypoints, edges, sides}, palette, jointScore, personScore, labels, trails (Trails or null).
 */
export function drawTracks(context, view, tracks, options) {
  const longest = Math.max(tracks.width, tracks.height) * view.scale;
  const people = tracks.people
    .filter((person) => person.score >= options.personScore)
    .sort((a, b) => a.box[3] - b.box[3]);
  const widths = new Map(people.map((person) => [person.id, limbWidth(person.box, view.scale, longest)]));
  if (options.trails) options.trails.draw(context, view, options.palette, (id) => widths.get(id) ?? 2);
  for (const person of people) drawPerson(context, view, person, widths.get(person.id), options);
  const taken = [];
  if (options.labels) for (const person of people) drawLabel(context, view, person, widths.get(person.id), options, taken);
  return people.length;
}

const limbWidth = ([x1, y1, x2, y2], scale, longest) =>
  Math.min(Math.max((Math.max(x2 - x1, y2 - y1) * scale) / 80, 1.3), longest / 100);

function levelOf(score, threshold) {
  if (!(score > 0) || score < threshold) return 0;
  const share = Math.min((score - threshold) / FULL, 1);
  return Math.round(1 + share * (OPACITY.length - 2));
}

function drawPerson(context, view, person, width, { skeleton, palette, jointScore }) {
  const base = colourOf(person.id, palette);
  const shades = { left: mix(base, 255, 0.5), right: mix(base, 0, 0.35), middle: base };
  const edgeColour = mix(base, 0, 0.8);
  const rim = Math.max(0.8, 0.28 * width);
  const joints = person.keypoints.map(([x, y, score]) => [view.x(x), view.y(y), levelOf(score, jointScore)]);
  const limbs = skeleton.edges
    .map(([a, b]) => ({ a: joints[a], b: joints[b], side: sideOf(skeleton.sides, a, b) }))
    .filter(({ a, b }) => a[2] && b[2]);
  context.lineCap = "round";
  for (const [extra, colour] of [[2 * rim, () => edgeColour], [0, ({ side }) => shades[side]]]) {
    for (const limb of limbs) {
      context.strokeStyle = css(colour(limb), OPACITY[Math.min(limb.a[2], limb.b[2])]);
      context.lineWidth = width + extra;
      context.beginPath();
      context.moveTo(limb.a[0], limb.a[1]);
      context.lineTo(limb.b[0], limb.b[1]);
      context.stroke();
    }
  }
  joints.forEach(([x, y, level], k) => {
    if (!level) return;
    const radius = width * (isHead(skeleton.keypoints[k]) ? 0.75 : 1);
    for (const [extra, colour] of [[rim, edgeColour], [0, shades[skeleton.sides[k]]]]) {
      context.fillStyle = css(colour, OPACITY[level]);
      context.beginPath();
      context.arc(x, y, radius + extra, 0, 2 * Math.PI);
      context.fill();
    }
  });
}

function sideOf(sides, a, b) {
  const ends = new Set([sides[a], sides[b]]);
  ends.delete("middle");
  return ends.size === 1 ? [...ends][0] : "middle";
}

const isHead = (name) => HEAD.some((part) => name.includes(part));

function drawLabel(context, view, person, width, { skeleton, palette, jointScore }, taken) {
  const head = person.keypoints.filter(([, , score], k) => isHead(skeleton.keypoints[k]) && levelOf(score, jointScore));
  const middle = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const [x1, y1, x2, y2] = person.box;
  const x = view.x(head.length ? middle(head.map((joint) => joint[0])) : (x1 + x2) / 2);
  const above = head.length ? 2.5 * width + 0.07 * (y2 - y1) * view.scale : 0;
  const bottom = view.y(head.length ? Math.min(...head.map((joint) => joint[1])) : y1) - above;
  const size = Math.min(Math.max(3.2 * width, 13), 26);
  const text = String(person.id);
  context.font = `600 ${size}px system-ui, sans-serif`;
  const pillWidth = Math.max(context.measureText(text).width, size * 0.6) + size;
  const pillHeight = size * 1.45;
  const clamp = (value, most) => Math.min(Math.max(value, 1), Math.max(most, 1));
  const left = clamp(x - pillWidth / 2, context.canvas.width - pillWidth - 1);
  let top = clamp(bottom - pillHeight, context.canvas.height - pillHeight - 1);
  for (const other of taken) {
    if (Math.abs(other.left - left) < pillWidth && Math.abs(other.top - top) < pillHeight) top = other.top - pillHeight - 1;
  }
  taken.push({ left, top });
  const base = colourOf(person.id, palette);
  context.fillStyle = css(base);
  context.strokeStyle = css(mix(base, 0, 0.8));
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(left, top, pillWidth, pillHeight, pillHeight / 2);
  context.fill();
  context.stroke();
  const bright = 0.299 * base[0] + 0.587 * base[1] + 0.114 * base[2] > 120;
  context.fillStyle = bright ? "#0f0f0f" : "#fff";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, left + pillWidth / 2, top + pillHeight / 2 + size * 0.04);
}
