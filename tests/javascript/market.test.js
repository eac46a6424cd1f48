import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { events, serve, world } from './twin.js';

const TASK = { title: 'Logo', description: 'Two colours.', bounty_amount: '300', delivery_hours: 48 };
const HOUR = 3600;
let twin;
let here;

beforeAll(async () => { twin = await serve('uumit'); }, 60_000);
afterAll(() => twin?.stop());
beforeEach(async () => { here = await world(twin, { now: '2026-01-01T00:00:00Z', mode: 'frozen' }); });
afterEach(() => here?.end());

// Your own client would stand here: all that it needs is the base URL.
const call = (method, path, body, headers = {}) => fetch(here.url + path, {
  method,
  headers: { Authorization: 'Bearer human-alice-token', 'Content-Type': 'application/json', ...headers },
  body: body && JSON.stringify(body),
});
const create = async (headers) => (await (await call('POST', '/api/v1/tasks/', TASK, headers)).json()).data;

test('a task that nobody takes expires after three days', async () => {
  const task = await create();
  expect(task.status).toBe('open');
  await here.advance(72 * HOUR);
  const { data } = await (await call('GET', `/api/v1/tasks/${task.id}`)).json();
  expect(data.status).toBe('expired');
});

test('a retry with the same key makes no second task', async () => {
  await here.faults({ match: { operation: 'createTask', times: 1 }, do: { drop: 'after' } });
  const key = { 'Idempotency-Key': 'once' };
  await expect(create(key)).rejects.toThrow('fetch failed'); // the answer was lost
  const task = await create(key);
  expect(await here.read('task', task.id)).toMatchObject({ title: 'Logo' });
  const [lost, replayed] = await here.journal('operation=createTask');
  expect([lost.reason, replayed.reason]).toEqual(['fault: fault-1', 'replay']);
});

test('a server error is told in the words of the API', async () => {
  await here.faults({ match: { operation: 'createTask', times: 1 }, do: { status: 503 } });
  const refused = await call('POST', '/api/v1/tasks/', TASK);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
  expect((await refused.json()).code).not.toBe(0);
  expect((await call('POST', '/api/v1/tasks/', TASK)).status).toBe(200);
});

test('a draft grows by events, and goes on where the connection broke', async () => {
  await here.faults({ match: { operation: 'createTaskByDescription', times: 1 }, do: { stream: 'cut', event: 2, byte: 10 } });
  const draft = (headers) => call('POST', '/api/v1/tasks/ai-create', { description: 'Draw a logo' }, headers);
  const seen = [];
  const follow = async (response) => { for await (const each of events(response)) seen.push(each); };
  const step = setInterval(() => here.advance(1), 20); // time stands still: let it pass
  try {
    await expect(draft().then(follow)).rejects.toThrow('terminated');
    await draft({ 'Last-Event-ID': seen.at(-1).id }).then(follow);
  } finally {
    clearInterval(step);
  }
  expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length); // none twice
  expect(seen[0].event).toBe('stage');
  expect(seen.at(-1).event).toBe('done');
});

test('worlds do not meet', async () => {
  const task = await create();
  const other = await world(twin);
  await expect(other.read('task', task.id)).rejects.toThrow('there is no task');
  await other.end();
});
