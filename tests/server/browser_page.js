"use strict";

// Two readers of event streams, as pages have them. What they notice stands in `seen`, in order:
// events as {event, id, data}, all else as {notice, …}.
const seen = [];
let source;

/** The browser's own reader. It hears the events of these names, besides "message" and "error". */
function listen(url, names) {
  source = new EventSource(url);
  const take = ({ type, lastEventId, data }) => seen.push({ event: type, id: lastEventId, data });
  for (const name of ["message", ...names]) source.addEventListener(name, take);
  source.addEventListener("open", () => seen.push({ notice: "open" }));
  // A server may name an event "error": it has data, what the browser itself has to tell has none.
  source.addEventListener("error", (event) =>
    event instanceof MessageEvent ? take(event) : seen.push({ notice: "error", state: source.readyState }),
  );
}

function hangUp() {
  source.close();
}

/** The stream that answers a POST, read with fetch. Connects again after a cut, as often as five times. */
async function follow(url, body, headers) {
  const parser = new Parser((told) => seen.push(told));
  for (let attempt = 0; attempt < 5; attempt++) {
    const resume = parser.lastEventId && { "Last-Event-ID": parser.lastEventId };
    const sent = { "Content-Type": "application/json", Accept: "text/event-stream", ...headers, ...resume };
    const answer = await fetch(url, { method: "POST", headers: sent, body: JSON.stringify(body) });
    const type = answer.headers.get("Content-Type") ?? "";
    if (answer.status !== 200 || !/^text\/event-stream *(;|$)/i.test(type)) {
      seen.push({ notice: "refused", status: answer.status, type });
      return;
    }
    seen.push({ notice: "open" });
    try {
      parser.begin();
      for (const reader = answer.body.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        parser.feed(value);
      }
      seen.push({ notice: "end" });
      return;
    } catch {
      seen.push({ notice: "cut" });
    }
    await new Promise((resolve) => setTimeout(resolve, parser.retry));
  }
}

/** The standard's parser: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
class Parser {
  constructor(take) {
    this.take = take;
    this.lastEventId = "";
    this.retry = 50;
  }

  /** A new connection. What the last one left unfinished is no event. */
  begin() {
    this.utf8 = new TextDecoder(); // takes off a byte order mark
    this.rest = this.data = this.event = "";
    this.id = this.lastEventId;
    this.afterReturn = false;
  }

  feed(bytes) {
    for (const char of this.utf8.decode(bytes, { stream: true })) {
      const isSecondHalf = char === "\n" && this.afterReturn;
      this.afterReturn = char === "\r";
      if (isSecondHalf) continue;
      if (char !== "\r" && char !== "\n") {
        this.rest += char;
        continue;
      }
      this.line(this.rest);
      this.rest = "";
    }
  }

  line(text) {
    if (text === "") return this.dispatch();
    const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(text);
    if (name === "event") this.event = value;
    else if (name === "data") this.data += `${value}\n`;
    else if (name === "id" && !value.includes("\0")) this.id = value;
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
  }

  dispatch() {
    this.lastEventId = this.id;
    const { event, id, data } = this;
    this.event = this.data = "";
    if (data) this.take({ event: event || "message", id, data: data.slice(0, -1) });
  }
}
