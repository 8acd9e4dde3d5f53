// Requests to the server's API; failures become one line that a person understands.
import { context, notify, t } from "./page.js";

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** An answer that is good; another is an error, and nobody who is not logged in stays on the page. */
async function good(response) {
  if (response.ok) return response;
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  let detail = t("error.status", { status: response.status });
  try {
    const body = await response.json();
    if (typeof body.detail === "string") detail = body.detail;
    else if (Array.isArray(body.detail)) detail = body.detail.map((one) => one.msg).join("; ");
  } catch {
    // The body says nothing more than the status.
  }
  throw new ApiError(response.status, detail);
}

async function answer(response) {
  const { status } = await good(response);
  return status === 204 ? null : response.json();
}

/** The bytes at an address of ours. */
export const bytes = async (url) => (await good(await fetch(url))).arrayBuffer();

/** Ask; a list in `query` names its key several times. */
export async function get(path, query = {}) {
  const wanted = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const pairs = wanted.flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const search = pairs.length ? `?${new URLSearchParams(pairs)}` : "";
  return answer(await fetch(`/api/v1/${path}${search}`, { headers: { accept: "application/json" } }));
}

export async function send(method, path, body) {
  const headers = { accept: "application/json", "x-csrf-token": context.csrf };
  if (body !== undefined) headers["content-type"] = "application/json";
  return answer(await fetch(`/api/v1/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }));
}

/** Do something that may fail, and tell the reader when it does. Gives whether it worked. */
export async function attempt(task, done = "") {
  try {
    await task();
    if (done) notify(done);
    return true;
  } catch (error) {
    notify(error instanceof ApiError ? error.message : t("error.network"), true);
    return false;
  }
}
