// Plays what is recorded of one camera: segments of fragmented MP4, one after another.
import { notify, t, timeOfDay } from "./page.js";
import { ApiError, bytes } from "./api.js";

const AHEAD_S = 12;
const KEEP_S = 60;
const MOST_MISSING = 150;
const MOST_TRIES = 8;
const AGAIN_MS = 1000;
const Source = window.ManagedMediaSource ?? window.MediaSource;

/** Whether anything is recorded from a time on. */
export const recordedFrom = (segments, from_s) => segments.some((segment) => segment.end_s > from_s);

/** Plays segments one after another; a new init segment or a gap starts a new stretch of the media's clock. */
export class Playback {
  /** Plays from a time on, unix seconds; `onnow` hears twice a second which time is shown, `time` writes one for people. */
  constructor(video, segments, from_s, onnow, time = timeOfDay) {
    this.video = video;
    this.onnow = onnow;
    this.time = time;
    this.list = segments.filter((segment) => segment.end_s > from_s);
    this.from_s = Math.max(from_s, this.list[0].start_s);
    this.next = 0;
    this.placed = []; // [media time, wall time] of each segment appended
    this.missing = []; // segments in a row that are there no more
    this.tries = 0; // of the next one
    this.later_ms = 0; // when it is asked for again
    this.at_s = 0;
    this.init = null;
    this.media = new Source();
    this.video.disableRemotePlayback = true;
    this.url = URL.createObjectURL(this.media);
    this.video.src = this.url;
    this.media.addEventListener("sourceopen", () => this.fill(), { once: true });
    this.timer = setInterval(() => this.tick(), 500);
  }

  close() {
    this.tellMissing();
    clearInterval(this.timer);
    this.closed = true;
    URL.revokeObjectURL(this.url);
  }

  tick() {
    const found = this.placed.findLast(([media_s]) => media_s <= this.video.currentTime + 0.01);
    if (found) {
      this.now_s = found[1] + this.video.currentTime - found[0];
      this.onnow(this.now_s);
    }
    this.fill();
  }

  fill() {
    if (this.busy || this.closed || Date.now() < this.later_ms || this.next >= this.list.length || this.at_s - this.video.currentTime > AHEAD_S) return;
    this.busy = true;
    this.one(this.list[this.next]).then(() => this.tellMissing(), (error) => this.failed(error)).finally(() => {
      this.next += 1;
      this.busy = false;
      if (this.next >= this.list.length) this.tellMissing();
      if (!this.closed) this.fill();
    });
  }

  /** What was deleted meanwhile, or is damaged, is passed over; what can not be reached is asked for again for some seconds. */
  failed(error) {
    if (this.closed) return;
    if (error.status === 404) {
      this.missing.push(this.list[this.next]);
      if (this.missing.length < MOST_MISSING) return;
    } else if ((error instanceof TypeError || error.status >= 500) && this.tries < MOST_TRIES) {
      this.tries += 1;
      this.next -= 1; // the same one
      this.later_ms = Date.now() + AGAIN_MS;
      return;
    } else if (error.status !== 401) notify(why(error), true);
    this.close();
  }

  /** One line for all that is missing in a row. */
  tellMissing() {
    if (!this.missing.length) return;
    notify(t("rec.missing", { from: this.time(this.missing[0].start_s), to: this.time(this.missing.at(-1).end_s) }), true);
    this.missing = [];
  }

  async one(segment) {
    if (segment.init !== this.init) {
      const init = await bytes(segment.init);
      const mime = mimeOf(init);
      if (!this.buffer) {
        this.buffer = this.media.addSourceBuffer(mime);
        this.buffer.mode = "segments";
      } else if (mime !== this.mime) this.buffer.changeType(mime);
      this.mime = mime;
      await this.append(init);
      this.init = segment.init;
    }
    const data = await bytes(segment.url);
    this.buffer.timestampOffset = this.at_s - segment.media_s;
    await this.append(data);
    this.tries = 0;
    this.placed.push([this.at_s, segment.start_s]);
    const first = this.placed.length === 1;
    const ranges = this.buffer.buffered;
    this.at_s = ranges.length ? ranges.end(ranges.length - 1) : this.at_s + segment.end_s - segment.start_s;
    if (first) {
      this.video.currentTime = Math.max(0, Math.min(this.from_s - segment.start_s, this.at_s - 0.1));
      await this.video.play().catch(() => {});
    }
    if (this.video.currentTime > 2 * KEEP_S) {
      this.buffer.remove(0, this.video.currentTime - KEEP_S);
      await updated(this.buffer);
    }
  }

  async append(data) {
    this.buffer.appendBuffer(data);
    await updated(this.buffer);
  }
}

const updated = (buffer) => new Promise((done) => buffer.addEventListener("updateend", done, { once: true }));

function why(error) {
  if (error instanceof ApiError) return error.message;
  return t(error instanceof TypeError ? "error.network" : "rec.unplayable");
}

/** The codec string out of the avcC box of an init segment: profile, constraints and level follow its version byte. */
function mimeOf(init) {
  const view = new Uint8Array(init);
  for (let at = 0; at + 8 < view.length; at++) {
    if (view[at] === 0x61 && view[at + 1] === 0x76 && view[at + 2] === 0x63 && view[at + 3] === 0x43) {
      return `video/mp4; codecs="avc1.${[5, 6, 7].map((n) => view[at + n].toString(16).padStart(2, "0")).join("")}"`;
    }
  }
  throw new Error(t("rec.unplayable"));
}
