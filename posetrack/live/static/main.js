// The page: what is shown in which state, and what the controls do.

import { drawTracks, fit, Trails } from "./draw.js";
import { everyFrame, grabJpeg, listCameras, obstacle, openCamera } from "./camera.js";
import { Link } from "./link.js";
import { median, Pace } from "./pace.js";
import { Plot } from "./plot.js";
import { FAILURES, STATES } from "./words.js";

const byId = (id) => document.getElementById(id);
const video = byId("video");
const drawing = byId("drawing");
const small = document.createElement("canvas"); // the picture that is sent
const plot = new Plot(byId("plot"));

let hello = null; // what the server can do
let state = "loading";
let stream = null;
let link = null;
let endFrames = null;
let pace = new Pace();
let credit = 0;
let encoding = false;
let number = 0;
let newest = null; // the last tracks, and when they came
let trails = new Trails();
let counts = fresh();

function fresh() {
  return { seen: 0, sent: 0, delays: [], times: [] };
}

// ---- states

function show(next, failure = null, reason = "") {
  state = next;
  document.body.dataset.state = next;
  byId("state-text").textContent = STATES[next];
  const running = ["asking", "connecting", "live", "reconnecting", "paused"].includes(next);
  byId("toggle").querySelector("span").textContent = running ? "Stop" : "Start";
  byId("toggle").disabled = next === "loading";
  byId("record").disabled = !(next === "live" && hello?.recording);
  byId("record").title = hello && !hello.recording ? "Start the server with --record FOLDER to record" : "";
  byId("stage").classList.toggle("quiet", ["reconnecting", "paused", "failed"].includes(next));
  video.hidden = !stream;
  card(next, failure, reason);
}

function card(next, failure, reason) {
  const words = {
    loading: ["One moment", "The page is asking the server what it can do."],
    idle: ["See how you move", "Start the camera, and your skeleton appears over your picture.", "Start the camera"],
    asking: ["May this page use your camera?", "Answer the browser's question to begin."],
    connecting: ["Connecting", "The first picture is on its way."],
    reconnecting: ["Connection lost", "Looking for the server. Tracking goes on by itself when it is back."],
    paused: ["Paused", "This tab is in the background, so nothing is sent."],
  }[next];
  byId("card").hidden = next === "live";
  if (failure) {
    const { title, text, button, note } = FAILURES[failure];
    fill(title, reason && failure === "full" ? `${sentence(reason)} Try again in a moment.` : text, button, note?.());
  } else if (words) {
    fill(...words);
  }
}

function fill(title, text, button = "", note = "") {
  byId("card-title").textContent = title;
  byId("card-text").textContent = text;
  byId("card-button").textContent = button;
  byId("card-button").hidden = !button;
  byId("card-note").replaceChildren(Object.assign(document.createElement("code"), { textContent: note }));
  byId("card-note").hidden = !note;
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

function fail(key, reason = "") {
  halt();
  byId("card-button").dataset.failure = key;
  show("failed", key, reason);
}

// ---- start and stop

async function start() {
  halt();
  show("asking");
  try {
    stream = await openCamera(byId("source").value.replace(/^camera:?/, ""));
  } catch (error) {
    return fail(error.message);
  }
  if (state !== "asking") return stopStream(); // stopped while the browser was asking
  const [track] = stream.getVideoTracks();
  track.onended = () => fail("unplugged");
  byId("mirror").checked = track.getSettings().facingMode !== "environment";
  video.classList.toggle("mirrored", byId("mirror").checked);
  video.srcObject = stream;
  await video.play().catch(() => {});
  offerCameras();
  connect();
  return undefined;
}

function connect() {
  show("connecting");
  counts = fresh();
  trails = new Trails();
  pace = new Pace();
  link = new Link("/visit", { open: opened, message: answered, lost, failed: fail });
  endFrames ??= everyFrame(video, offer);
}

function opened() {
  credit = hello.credit;
  link.send({ type: "settings", preset: byId("preset").value });
}

function lost(wait) {
  credit = 0;
  newest = null;
  clearDrawing();
  show("reconnecting");
  byId("card-text").textContent =
    `Looking for the server again in ${(wait / 1000).toLocaleString("en")} s. Tracking goes on by itself when it is back.`;
}

function halt() {
  link?.close();
  link = null;
  endFrames?.();
  endFrames = null;
  stopStream();
  newest = null;
  clearDrawing();
  for (const id of ["rate", "latency", "people", "skipped"]) byId(id).textContent = "–";
}

function stopStream() {
  for (const track of stream?.getTracks() ?? []) {
    track.onended = null;
    track.stop();
  }
  stream = null;
  video.srcObject = null;
  video.hidden = true;
}

function toggle() {
  if (["idle", "failed"].includes(state)) start();
  else if (state !== "loading") {
    halt();
    show("idle");
  }
}

// ---- pictures up, tracks down

async function offer(moment) {
  counts.seen += 1;
  if (encoding || !link?.ready || credit < 1 || !pace.due(performance.now()) || !video.videoWidth) return;
  encoding = true;
  credit -= 1;
  pace.sent(performance.now());
  const to = link;
  const { side, quality } = pace.shape;
  const jpeg = await grabJpeg(video, small, side, quality).then((blob) => blob?.arrayBuffer());
  encoding = false;
  if (to !== link || !link.ready || !jpeg) return;
  const message = new Uint8Array(12 + jpeg.byteLength);
  const header = new DataView(message.buffer);
  header.setUint32(0, number++, true);
  header.setFloat64(4, moment, true);
  message.set(new Uint8Array(jpeg), 12);
  link.send(message);
  counts.sent += 1;
}

function answered(message) {
  if (message.type === "tracks") {
    credit += 1;
    const delay = performance.now() - message.moment;
    pace.account(delay - message.waited - message.took, message.waited, message.took);
    newest = message;
    trails.update(message, hello.skeleton.keypoints, jointScore());
    if (state !== "live") show("live");
    requestAnimationFrame(() => newest === message && draw());
  } else if (message.type === "bad") {
    credit += 1;
  }
}

function draw() {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [drawing.clientWidth * ratio, drawing.clientHeight * ratio].map(Math.round);
  if (drawing.width !== width || drawing.height !== height) Object.assign(drawing, { width, height });
  const context = drawing.getContext("2d");
  context.clearRect(0, 0, width, height);
  const view = fit(drawing, newest.width, newest.height, byId("mirror").checked);
  const people = drawTracks(context, view, newest, {
    skeleton: hello.skeleton,
    palette: hello.palette,
    jointScore: jointScore(),
    personScore: Number(byId("person-score").value),
    labels: byId("labels").checked,
    trails: byId("trails").checked ? trails : null,
  });
  const now = performance.now();
  counts.delays.push(now - newest.moment);
  counts.times.push(now);
  plot.add(now, now - newest.moment);
  byId("people").textContent = people;
}

function clearDrawing() {
  drawing.getContext("2d").clearRect(0, 0, drawing.width, drawing.height);
}

const jointScore = () => Number(byId("joint-score").value);

setInterval(() => {
  const now = performance.now();
  plot.draw(now);
  if (state !== "live") return;
  counts.times = counts.times.filter((time) => time > now - 2000);
  counts.delays = counts.delays.slice(-30);
  byId("rate").textContent = (counts.times.length / 2).toFixed(1);
  byId("latency").textContent = counts.delays.length ? Math.round(median(counts.delays)) : "–";
  byId("skipped").textContent = Math.max(0, counts.seen - counts.sent);
  if (newest && counts.times.length === 0) clearDrawing(); // nothing came for two seconds
}, 500);

// ---- controls

async function offerCameras() {
  const select = byId("source");
  const [track] = stream?.getVideoTracks() ?? [];
  const current = track?.getSettings().deviceId;
  const cameras = await listCameras();
  if (!cameras.length) return;
  select.replaceChildren(
    ...cameras.map(({ id, name }) => new Option(name, `camera:${id}`, id === current, id === current)),
  );
}

function wire() {
  byId("toggle").onclick = toggle;
  byId("card-button").onclick = () => (byId("card-button").dataset.failure === "refused" ? location.reload() : start());
  byId("source").onchange = () => state !== "idle" && start();
  byId("preset").onchange = () => link?.send({ type: "settings", preset: byId("preset").value });
  byId("mirror").onchange = () => {
    video.classList.toggle("mirrored", byId("mirror").checked);
    if (newest) draw();
  };
  for (const id of ["joint-score", "person-score"]) {
    byId(id).oninput = () => {
      byId(`${id}-text`).textContent = `${Math.round(100 * byId(id).value)} %`;
      if (newest) draw();
    };
  }
  for (const id of ["trails", "labels"]) byId(id).onchange = () => newest && draw();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && ["live", "connecting", "reconnecting"].includes(state)) {
      link?.close();
      link = null;
      show("paused");
    } else if (!document.hidden && state === "paused") connect();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, button, textarea")) return;
    const act = { " ": toggle, r: () => byId("record").click(), t: () => byId("trails").click(), m: () => byId("mirror").click() };
    const key = event.key.toLowerCase();
    if (!act[key]) return;
    event.preventDefault();
    act[key]();
  });
}

async function begin() {
  wire();
  try {
    hello = await (await fetch("/hello")).json();
  } catch {
    show("failed", "server");
    setTimeout(() => location.reload(), 5000);
    return;
  }
  byId("preset").replaceChildren(...hello.presets.map((name) => new Option(name, name, false, name === hello.preset)));
  byId("joint-score").value = hello.min_joint_score;
  byId("joint-score").oninput();
  if (obstacle()) fail(obstacle());
  else show("idle");
}

globalThis.posetrack = { newest: () => newest, state: () => state, delays: () => counts.delays }; // for consoles
begin();
