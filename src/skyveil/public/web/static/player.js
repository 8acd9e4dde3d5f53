// Live pictures of one camera: fragmented MP4 over a WebSocket into MediaSource (ManagedMediaSource on Safari).
const LEAST_LAG_S = 0.05; // what is kept in hand, measured as a fragment comes
const MOST_LAG_S = 0.6;
const LAG_STEP_S = 0.05; // more is kept after each time that the picture stood still, and less again while it does not
const LAG_DECAY = 0.995; // ten times a second: half of it is gone after 14 s
const SETTLE_S = 1; // played before standing still says anything of the way here: at first nothing is in hand
const SPARE_LAG_S = 0.03;
const JUMP_LAG_S = 0.5; // beyond what is kept and one picture
const LAGS = 10; // fragments over which the least lag is taken: a second of most cameras
const KEEP_S = 12;
const BACK_OFF_MS = [500, 1000, 1000, 2000, 5000];
const Source = window.ManagedMediaSource ?? window.MediaSource;

export class LivePlayer {
  /** `onstate` gets the camera's health whenever it changes; null while the server can not be reached. */
  constructor(video, camera, onstate) {
    this.video = video;
    this.camera = camera;
    this.onstate = onstate;
    this.failures = 0;
    this.running = false;
    this.held = false; // whether the picture is to stand still, for somebody who draws on it
    this.lags = [];
    this.target = LEAST_LAG_S;
    this.step = LEAST_LAG_S; // seconds from one picture to the next
    this.video.disableRemotePlayback = true; // asked for by ManagedMediaSource
    this.video.addEventListener("error", () => this.again());
    this.video.addEventListener("waiting", () => this.stoodStill());
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.connect();
  }

  /** Let the picture stand still, or go on with the newest one. */
  hold(held) {
    this.held = held;
    if (held) this.video.pause();
    else this.keepUp();
  }

  stop() {
    this.running = false;
    clearTimeout(this.timer);
    this.close();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/cameras/${encodeURIComponent(this.camera)}/live`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.said(JSON.parse(data)) : this.got(data));
    socket.onclose = () => {
      if (this.socket === socket) {
        this.onstate(null);
        this.again();
      }
    };
    this.socket = socket;
    this.pace = setInterval(() => this.keepUp(), 100);
  }

  close() {
    clearInterval(this.pace);
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
    this.closeMedia();
  }

  closeMedia() {
    this.buffer = null;
    this.waiting = [];
    this.end = undefined;
    this.lags = [];
    this.step = LEAST_LAG_S;
    if (this.url) {
      URL.revokeObjectURL(this.url);
      this.url = null;
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  again() {
    if (!this.running) return;
    clearTimeout(this.timer);
    this.close();
    const wait = BACK_OFF_MS[Math.min(this.failures++, BACK_OFF_MS.length - 1)];
    this.timer = setTimeout(() => this.running && this.connect(), wait * (0.75 + Math.random() / 2));
  }

  said(message) {
    if (message.health) this.onstate(message.health);
    if (message.mime) this.open(message.mime);
  }

  open(mime) {
    this.closeMedia();
    if (!Source?.isTypeSupported(mime)) {
      this.onstate({ state: "unsupported", cause: "browser", since_s: Date.now() / 1000 });
      return;
    }
    const media = new Source();
    this.url = URL.createObjectURL(media);
    this.video.src = this.url;
    media.addEventListener("sourceopen", () => {
      if (this.video.src !== this.url || media.readyState !== "open") return;
      this.buffer = media.addSourceBuffer(mime);
      this.buffer.mode = "segments";
      this.buffer.addEventListener("updateend", () => this.feed());
      this.feed();
    }, { once: true });
    if (!this.held) this.video.play().catch(() => {}); // muted video may start by itself; a browser that forbids it shows its own button
  }

  got(data) {
    this.failures = 0;
    this.waiting.push(data);
    this.noteLag();
    this.feed();
  }

  /** What is in hand as a fragment comes is the least there is: a moment later it looks like more, by one picture. */
  noteLag() {
    const ranges = this.video.buffered;
    if (!ranges.length) return;
    const end = ranges.end(ranges.length - 1);
    if (this.end !== undefined && end > this.end) this.step = Math.min(end - this.end, MOST_LAG_S);
    this.end = end;
    this.lags = [...this.lags, end - this.video.currentTime].slice(-LAGS);
  }

  feed() {
    const buffer = this.buffer;
    if (!buffer || buffer.updating || !this.waiting.length) return;
    try {
      const ranges = buffer.buffered;
      if (ranges.length && ranges.end(ranges.length - 1) - ranges.start(0) > 2 * KEEP_S) {
        buffer.remove(0, ranges.end(ranges.length - 1) - KEEP_S);
        return;
      }
      buffer.appendBuffer(joined(this.waiting.splice(0)));
    } catch {
      this.again();
    }
  }

  /** Keep more in hand; once a second, because a picture that stands still says so many times. */
  stoodStill() {
    const { video } = this;
    const now = performance.now();
    const played = video.played.length ? video.played.end(video.played.length - 1) - video.played.start(0) : 0;
    if (video.seeking || played < SETTLE_S || now - (this.stood ?? 0) < 1000) return;
    this.stood = now;
    this.target = Math.min(this.target + LAG_STEP_S, MOST_LAG_S);
  }

  /** Stay close to now: a little faster when behind, a little slower when hardly anything is left, a jump when far behind,
      before what is there, or at a hole. */
  keepUp() {
    if (this.held) return;
    const { video } = this;
    const ranges = video.buffered;
    if (!ranges.length) return;
    const last = ranges.length - 1;
    const lag = ranges.end(last) - video.currentTime;
    this.target = Math.max(LEAST_LAG_S, this.target * LAG_DECAY);
    if (video.currentTime < ranges.start(last) || lag > this.target + this.step + JUMP_LAG_S || lag < -0.05) {
      // One picture more than is kept: of the newest alone a player that just jumped runs out at once.
      video.currentTime = Math.max(ranges.start(last), ranges.end(last) - this.target - this.step);
      this.lags = [];
    }
    const least = Math.min(...this.lags);
    const spare = this.lags.length === LAGS && least > this.target + SPARE_LAG_S;
    video.playbackRate = spare ? 1.1 : least < this.target / 2 ? 0.95 : 1;
    if (video.paused && !document.hidden) video.play().catch(() => {});
  }
}

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return whole;
}
