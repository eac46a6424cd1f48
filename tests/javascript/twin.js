// A served twin for tests in JavaScript: started once for a file of tests, a world of its own for each test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

// `tasktwin serve uumit`, on any free port; stop it by `await twin.stop()`.
export async function serve(...providers) {
  const command = process.env.TASKTWIN ?? 'tasktwin';
  const twin = spawn(command, ['serve', ...providers, '--port', '0', '--quiet'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(twin, 'exit');
  const [url] = await Promise.race([
    once(createInterface({ input: twin.stdout }), 'line'), // the base URL is the first line
    ended.then(([code]) => { throw new Error(`${command} serve ended with ${code}`); }),
    once(twin, 'error').then(([error]) => { throw new Error(`${command} is not there: ${error.message}`); }),
  ]);
  return { url, stop: () => { twin.kill(); return ended; } };
}

async function told(response) {
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(body.detail);
  return body;
}

// A world that nobody else sees: `url` is the API's base URL in it, the rest orders what happens there.
export async function world(twin, beginning = {}) {
  const send = (url, method, body) =>
    fetch(url, { method, headers: { 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) }).then(told);
  const made = await send(`${twin.url}/_tasktwin/worlds`, 'POST', beginning);
  const control = (method, path, body) => send(made.control_url + path, method, body);
  return {
    url: made.base_url,
    advance: (seconds) => control('POST', '/clock', { advance: seconds }),
    faults: (...orders) => control('PUT', '/faults', orders),
    read: (collection, id) => control('GET', `/state/${collection}/${encodeURIComponent(id)}`),
    journal: async (query = '') => (await control('GET', `/journal?${query}`)).entries,
    end: () => send(`${twin.url}/_tasktwin/worlds/${made.name}`, 'DELETE'),
  };
}

// The events of a stream, as an EventSource would give them: `for await (const { id, event, data } of events(response))`.
export async function* events(response) {
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const found = { event: 'message', data: [] };
      for (const line of block.split(/\r?\n/)) {
        const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (field === 'data') found.data.push(value);
        else if (field) found[field] = value;
      }
      if (found.data.length) yield { ...found, data: found.data.join('\n') };
    }
  }
}
