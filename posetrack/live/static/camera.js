// The visitor's own camera: opened, or a reason why not; and its newest picture as a small JPEG.

/** What keeps this page from a camera, as a key of FAILURES; null where nothing does. */
export const obstacle = () => (window.isSecureContext && navigator.mediaDevices?.getUserMedia ? null : "insecure");

/** Open a camera. Throws an Error whose message is a key of FAILURES. */
export async function openCamera(deviceId) {
  if (obstacle()) throw new Error(obstacle());
  const video = {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    frameRate: { ideal: 30 },
    ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" }),
  };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? "camera");
  }
}

const REASONS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "absent",
  OverconstrainedError: "absent",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** Cameras of this device, once the visitor allowed one: [{id, name}]. */
export async function listCameras() {
  if (obstacle()) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === "videoinput" && device.deviceId)
    .map((device, k) => ({ id: device.deviceId, name: device.label || `Camera ${k + 1}` }));
}

/** Call back with the moment of capture at every new picture of a video; returns a function that ends it. */
export function everyFrame(video, callback) {
  let running = true;
  const useVideo = "requestVideoFrameCallback" in HTMLVideoElement.prototype;
  const next = () => (useVideo ? video.requestVideoFrameCallback(step) : requestAnimationFrame(step));
  let last = -1;
  const step = (now, data) => {
    if (!running) return;
    next();
    if (!useVideo && video.currentTime === last) return;
    last = video.currentTime;
    const captured = data?.captureTime;
    const credible = captured > now - 1000 && captured <= now;
    callback(credible ? captured : now);
  };
  next();
  return () => (running = false);
}

/** The video's picture as a JPEG whose longer side is at most `side` pixels. */
export function grabJpeg(video, canvas, side, quality) {
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}
