// What the page says. A failure is a plain sentence, and what to do about it.

export const FAILURES = {
  insecure: {
    title: "The browser gives no camera to this address",
    text: "Cameras work only on https addresses and on localhost. Open the page through an SSH tunnel, or start the server with a certificate.",
    note: () => `ssh -L ${location.port || 8000}:localhost:${location.port || 8000} ${location.hostname}`,
  },
  denied: {
    title: "The camera is not allowed",
    text: "The browser or the system refused it. Allow the camera for this page (the icon beside the address), then try again.",
    button: "Try again",
  },
  absent: {
    title: "No camera found",
    text: "This device has no camera that the browser can see. Plug one in, then try again.",
    button: "Try again",
  },
  busy: {
    title: "The camera is busy",
    text: "Another program or tab holds it. Close that one, then try again.",
    button: "Try again",
  },
  unplugged: {
    title: "The camera has gone",
    text: "It was unplugged or taken away. Plug it in, then start again.",
    button: "Start again",
  },
  camera: {
    title: "The camera did not start",
    text: "The browser gave no reason. Try again, or choose another camera.",
    button: "Try again",
  },
  full: {
    title: "All places are taken",
    text: "Try again in a moment.",
    button: "Try again",
  },
  ended: {
    title: "The source has ended",
    text: "",
    button: "Look again",
  },
  token: {
    title: "The access token is not valid any more",
    text: "The server was started anew. Open the address that it printed.",
  },
  refused: {
    title: "The server ended the conversation",
    text: "It did not accept what this page sent. Reload the page.",
    button: "Reload",
  },
  server: {
    title: "The server does not answer",
    text: "It may have stopped. This page looks for it again and again.",
  },
};

export const STATES = {
  loading: "Loading",
  idle: "Ready",
  asking: "Waiting for the camera",
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Connection lost",
  paused: "Paused",
  failed: "Not running",
};
