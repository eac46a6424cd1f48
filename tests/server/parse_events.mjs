// Reads one event stream with eventsource-parser, as a page or a Node program does, and prints each event as a line of JSON.
// node parse_events.mjs NODE_MODULES '{"method", "url", "headers", "body", "count"}': ends after `count` events, or with the stream.
import { pathToFileURL } from "node:url";

const [folder, asked] = process.argv.slice(2);
const { EventSourceParserStream } = await import(pathToFileURL(`${folder}/eventsource-parser/dist/stream.js`));
const { method, url, headers, body, count } = JSON.parse(asked);
const hangUp = new AbortController();
setTimeout(() => hangUp.abort(), 20_000).unref();
const answer = await fetch(url, { method, headers, body: body || undefined, signal: hangUp.signal });
if (answer.status !== 200) throw new Error(`refused: ${answer.status}`);
const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
let last = "";
let seen = 0;
try {
  for await (const { event = "message", id = last, data } of events) {
    last = id;
    console.log(JSON.stringify({ event, id, data }));
    if (++seen === count) break;
  }
} catch (error) {
  console.log(JSON.stringify({ cut: String(error) }));
}
hangUp.abort();
