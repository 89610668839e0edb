// The page: what is shown in which state, and what the controls do.

import { listCameras, obstacle, openCamera } from "./camera.js";
import { Plot } from "./plot.js";
import { Stage } from "./stage.js";
import { Visit } from "./visit.js";
import { Watch } from "./watch.js";
import { FAILURES, STATES } from "./words.js";

const byId = (id) => document.getElementById(id);
const video = byId("video");
const plot = new Plot(byId("plot"));
const stage = new Stage(byId("picture"), byId("drawing"), () => ({
  jointScore: Number(byId("joint-score").value),
  personScore: Number(byId("person-score").value),
  labels: byId("labels").checked,
  trails: byId("trails").checked,
  mirrored: byId("mirror").checked,
}));

let hello = null; // what the server can do
let state = "loading";
let stream = null; // of the visitor's camera
let talk = null; // a Visit or a Watch
let recordingSince = null;

// ---- states

const RUNNING = ["asking", "connecting", "live", "reconnecting", "paused"];

function show(next, failure = null, reason = "") {
  state = next;
  document.body.dataset.state = next;
  byId("state-text").textContent = STATES[next];
  byId("toggle").querySelector("span").textContent = RUNNING.includes(next) ? "Stop" : "Start";
  byId("toggle").disabled = next === "loading";
  if (next !== "live") setRecording(false);
  byId("record").disabled = !(next === "live" && hello?.recording);
  byId("record").title = hello && !hello.recording ? "Start the server with --record FOLDER to record" : "";
  byId("stage").classList.toggle("quiet", ["reconnecting", "paused", "failed"].includes(next));
  video.hidden = !stream;
  card(next, failure, reason);
}

function card(next, failure, reason) {
  const ours = hello?.source && byId("source").value === "server";
  const words = {
    loading: ["One moment", "The page is asking the server what it can do."],
    idle: ours
      ? ["Watch the server's source", `${hello.source}, with everybody's skeleton.`, "Start watching"]
      : ["See how you move", "Start the camera, and your skeleton appears over your picture.", "Start the camera"],
    asking: ["May this page use your camera?", "Answer the browser's question to begin."],
    connecting: ["Connecting", "The first picture is on its way."],
    reconnecting: ["Connection lost", "Looking for the server. Tracking goes on by itself when it is back."],
    paused: ["Paused", "This tab is in the background, so nothing is sent."],
  }[next];
  byId("card").hidden = next === "live";
  if (failure) {
    const { title, text, button, note } = FAILURES[failure];
    const said = reason && ["full", "ended"].includes(failure) ? sentence(reason) : "";
    fill(title, `${said} ${text}`.trim(), button, note?.());
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

function banner(words) {
  byId("banner").textContent = words;
  byId("banner").hidden = !words;
}

function fail(key, reason = "") {
  halt();
  byId("card-button").dataset.failure = key;
  show("failed", key, reason);
}

// ---- start and stop

async function start() {
  halt();
  if (byId("source").value === "server") {
    byId("mirror").checked = false;
    return connect();
  }
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
  offerSources();
  return connect();
}

function connect() {
  show("connecting");
  stage.begin(hello);
  const handlers = { opened, tracks, lost, failed: fail, said };
  talk = stream
    ? new Visit(video, hello, handlers, () => byId("in-step").checked)
    : new Watch(handlers);
}

function opened() {
  talk.say({ type: "settings", preset: byId("preset").value });
}

function lost(wait) {
  stage.begin(hello);
  show("reconnecting");
  byId("card-text").textContent =
    `Looking for the server again in ${(wait / 1000).toLocaleString("en")} s. Tracking goes on by itself when it is back.`;
}

function halt() {
  talk?.close();
  talk = null;
  stopStream();
  stage.begin(hello);
  banner("");
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

// ---- what comes from the server

/** Tracks, their picture or null, and a function that gives the ms since its capture. */
function tracks(message, image, delay) {
  banner("");
  if (state !== "live") show("live");
  video.classList.toggle("behind", Boolean(image));
  byId("picture").hidden = !image;
  byId("stage").style.aspectRatio = `${message.width} / ${message.height}`;
  stage.take(message, image);
  requestAnimationFrame(() => {
    if (stage.newest !== message) return;
    stage.draw();
    const now = performance.now();
    stage.count(now, delay(now));
    plot.add(now, delay(now));
    byId("people").textContent = stage.people;
  });
}

/** Everything else that the server says. */
function said(message) {
  if (message.type === "recording") {
    setRecording(message.on);
    if (message.why) banner(sentence(message.why));
    for (const file of message.files) list(file);
  } else if (message.type === "bad") {
    banner(sentence(message.why));
  } else if (message.type === "state") {
    if (message.state === "ended") return fail("ended", message.why || `${message.source} has ended`);
    if (state !== "live") show("live");
    const tries = message.tries > 1 ? `, try ${message.tries}` : "";
    banner(
      message.state === "lost"
        ? `${message.source} has gone quiet. Looking for it${tries}.`
        : `Waiting for ${message.source}.`,
    );
  }
  return undefined;
}

function setRecording(on) {
  recordingSince = on ? performance.now() : null;
  byId("record").setAttribute("aria-pressed", String(on));
  byId("record").querySelector("span").textContent = on ? "0:00" : "Record";
  byId("record").setAttribute("aria-label", on ? "Stop recording" : "Record");
  if (talk?.pace) talk.pace.hold = on;
}

function list({ name, bytes }) {
  const link = Object.assign(document.createElement("a"), { href: `/recordings/${name}`, download: name });
  link.textContent = name.endsWith(".mp4") ? "Clip with skeletons (mp4)" : "Joints (jsonl)";
  const item = document.createElement("li");
  item.append(link, `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`);
  byId("recording-list").prepend(item);
  byId("recordings").hidden = false;
}

setInterval(() => {
  const now = performance.now();
  plot.draw(now);
  if (state !== "live") return;
  const { rate, delay } = stage.numbers(now);
  byId("rate").textContent = rate.toFixed(1);
  byId("latency").textContent = delay === null ? "–" : Math.round(delay);
  byId("skipped").textContent = talk?.skipped ?? "–";
  if (recordingSince !== null) {
    const seconds = Math.floor((now - recordingSince) / 1000);
    byId("record").querySelector("span").textContent =
      `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}, 500);

// ---- controls

async function offerSources() {
  const select = byId("source");
  const chosen = select.value;
  const current = stream?.getVideoTracks()[0]?.getSettings().deviceId;
  const cameras = await listCameras();
  const named = cameras.filter(({ name }) => name);
  const options = named.length
    ? named.map(({ id, name }) => new Option(name, `camera:${id}`, id === current, id === current))
    : [new Option("This device's camera", "camera")];
  if (hello.source) options.push(new Option(`Server: ${hello.source}`, "server", false, chosen === "server"));
  select.replaceChildren(...options);
}

function redraw() {
  video.classList.toggle("mirrored", byId("mirror").checked);
  stage.draw();
}

function wire() {
  byId("toggle").onclick = toggle;
  byId("record").onclick = () => talk?.say({ type: "record", on: recordingSince === null });
  byId("card-button").onclick = () => (byId("card-button").dataset.failure === "refused" ? location.reload() : start());
  byId("source").onchange = () => (RUNNING.includes(state) ? start() : show(obstacleHere() ? "failed" : "idle", obstacleHere()));
  byId("preset").onchange = () => talk && opened();
  for (const id of ["mirror", "trails", "labels"]) byId(id).onchange = redraw;
  for (const id of ["joint-score", "person-score"]) {
    byId(id).oninput = () => {
      byId(`${id}-text`).textContent = `${Math.round(100 * byId(id).value)} %`;
      stage.draw();
    };
  }
  addEventListener("resize", () => stage.draw());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && ["live", "connecting", "reconnecting"].includes(state)) {
      talk?.close();
      talk = null;
      show("paused");
    } else if (!document.hidden && state === "paused") connect();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, button, textarea, a")) return;
    const click = { r: "record", t: "trails", m: "mirror", n: "labels", " ": "toggle" }[event.key.toLowerCase()];
    if (!click) return;
    event.preventDefault();
    byId(click).click();
  });
}

/** What keeps the chosen source from this page: nothing keeps the server's own. */
const obstacleHere = () => (byId("source").value === "server" ? null : obstacle());

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
  await offerSources();
  if (hello.source) byId("source").value = "server";
  if (obstacleHere()) fail(obstacleHere());
  else show("idle");
}

globalThis.posetrack = { newest: () => stage.newest, delays: () => plot.points }; // for whoever is curious
begin();
