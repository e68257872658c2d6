/** `coda` as a person or a script meets it: real processes, a real realm in a temporary folder. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { coda as run, type CodaEnded, codaCommand } from '../../conformance/coda-command.js';
import { z } from 'zod';
import { statusSchema, type Status } from '../realm/status.js';

t.setTimeout(600_000);

const processReport = z.strictObject({ name: z.string(), pid: z.number().int(), url: z.url() });
/** The documented shape, and nothing else. */
const readySchema = z.strictObject({
  url: z.url(),
  user: z.string(),
  password: z.string(),
  data: z.string(),
  servers: z.array(processReport),
  gateways: z.array(processReport),
});
type Ready = z.infer<typeof readySchema>;

const coda = (...options: readonly string[]): Promise<CodaEnded> => run(t, ...options);

/** Asks again until the answer is there. */
async function eventually<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await delay(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`still not: ${what}`);
}

/** `coda up` in the background; whatever becomes of the test, it does not stay. */
class Up {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  #said = '';

  constructor(
    readonly readyFile: string,
    options: readonly string[],
  ) {
    const all = ['up', '--listen', '127.0.0.1:0', '--ready-file', readyFile, ...options];
    this.child = spawn(process.execPath, [codaCommand, ...all], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    this.ended = once(this.child, 'exit').then(([code]) => code as number | null);
    t.teardown(() => this.child.kill('SIGKILL'));
  }

  ready(): Promise<Ready> {
    return eventually('ready', () => {
      if (this.child.exitCode !== null) throw new Error(`coda up ended early: ${this.#said}`);
      return readReady(this.readyFile);
    });
  }
}

function readReady(file: string): Ready | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  return readySchema.parse(JSON.parse(text));
}

function at(ready: Ready, name: string, init: RequestInit = {}): Promise<Response> {
  const login = Buffer.from(`${ready.user}:${ready.password}`).toString('base64');
  const headers = { authorization: `Basic ${login}` };
  return fetch(new URL(name, ready.url), { ...init, headers, signal: AbortSignal.timeout(20_000) });
}

async function put(ready: Ready, name: string, body: string): Promise<number> {
  const response = await at(ready, name, { method: 'PUT', body });
  await response.arrayBuffer();
  return response.status;
}

async function get(ready: Ready, name: string): Promise<string> {
  const response = await at(ready, name);
  return `${response.status} ${await response.text()}`;
}

async function statusOf(data: string): Promise<Status> {
  const { code, stdout, stderr } = await coda('status', '--data', data, '--json');
  if (code !== 0) throw new Error(`coda status: ${stderr}`);
  return statusSchema.parse(JSON.parse(stdout));
}

function isListening(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}

async function plannedDisconnection(t: Test, data: string, one: Ready, other: Ready): Promise<void> {
  const at = ['--gateway', 'g2', '--data', data];
  t.match(await coda('disconnect', '--data', data), {
    code: 2,
    stderr: /several gateways: g1, g2.*--gateway NAME/,
  });
  t.match(await coda('disconnect', ...at), { code: 0, stdout: /g2 is disconnected from all servers/ });
  t.equal(await put(other, 'letter.txt', 'fourth'), 204);
  t.equal(await put(other, 'note.txt', 'new'), 201);
  t.equal(await get(other, 'letter.txt'), '200 fourth');
  t.equal(await get(one, 'letter.txt'), '200 third', 'the other gateway goes on as before');
  const cut = (await statusOf(data)).gateways[1];
  t.match(cut?.volumes, [{ state: 'emulating', avsg: [] }]);
  t.same(
    cut?.servers.map(({ planned }) => planned),
    [true, true, true],
  );
  const log = await coda('log', ...at, '--json');
  t.match(JSON.parse(log.stdout), { gateway: 'g2', changes: [{ author: 'ada', state: 'pending' }, {}] });
  t.match(await coda('log', ...at), {
    stdout: /stored \/letter.txt \(6 B\)\n.*stored the new file \/note.txt \(3 B\)/,
  });
  const archive = join(data, '..', 'log.tar');
  t.match(await coda('log', 'checkpoint', archive, ...at), { code: 0 });

  t.match(await coda('reconnect', ...at), { code: 0, stdout: /g2 connects to all servers again/ });
  await eventually('all is sent', async () => {
    const [volume] = (await statusOf(data)).gateways[1]?.volumes ?? [];
    return volume?.avsg.length === 3 && volume.pendingRecords === 0 ? true : undefined;
  });
  t.equal(await get(one, 'letter.txt'), '200 fourth');
  t.equal(await get(one, 'note.txt'), '200 new');
  const restored = await coda('log', 'restore', archive, '--gateway', 'g1', '--data', data, '--json');
  t.same(JSON.parse(restored.stdout), { gateway: 'g1', restored: 0, present: 2, notes: [] }, 'all was sent');
  t.match(await coda('log', 'discard', '--all', '--yes', ...at), { code: 0, stdout: /nothing to give up/ });
  t.equal(await put(other, 'letter.txt', 'third'), 204);
}

t.test('a realm from its first start to its third', async (t) => {
  const folder = t.testdir({});
  // Longer than what a Unix socket's path may be.
  const data = join(folder, 'a-data-folder-deep-down-below-'.repeat(4), 'realm');
  const readyFile = join(folder, 'ready.json');

  const first = new Up(readyFile, ['--data', data, '--user', 'ada']);
  const ready = await first.ready();
  t.equal(ready.user, 'ada');
  t.match(ready.password, /^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/);
  t.equal(ready.data, data);
  t.same(
    ready.servers.map(({ name }) => name),
    ['s1', 's2', 's3'],
  );
  t.same(
    ready.gateways.map(({ name, url }) => [name, url]),
    [['g1', ready.url]],
  );
  for (const secret of ['realm.key', 'login.json', 'control.json']) {
    t.equal(statSync(join(data, secret)).mode & 0o077, 0, `${secret} is for its owner only`);
  }
  t.equal(statSync(readyFile).mode & 0o077, 0);

  t.equal(await put(ready, 'letter.txt', 'first'), 201);
  t.equal(await get(ready, 'letter.txt'), '200 first');
  t.equal((await fetch(ready.url)).status, 401, 'nobody without a password');

  await t.test('status and servers', async (t) => {
    const status = await statusOf(data);
    t.same(
      status.servers.map(({ name, pid, state }) => ({ name, pid, state })),
      [...ready.servers.map(({ name, pid }) => ({ name, pid, state: 'running' }))],
    );
    t.match(status.gateways, [{ name: 'g1', state: 'running', url: ready.url }]);
    t.match(status.gateways[0]?.volumes, [{ name: 'root', vsg: ['s1', 's2', 's3'], pendingRecords: 0 }]);
    t.match((await coda('status', '--data', data)).stdout, /s1 +running/);
    t.match(await coda('status', '--data', data, '--gateway', 'g7'), { code: 4, stderr: /no gateway "g7"/ });
    t.match(await coda('servers', 'stop', 'z2', '--data', data), { code: 4, stderr: /no server "z2"/ });

    t.match(await coda('servers', 'stop', 's2', '--data', data), { code: 0, stdout: /s2 is stopped/ });
    const without = await statusOf(data);
    t.match(without.servers[1], { name: 's2', pid: null, state: 'stopped' });
    t.equal(await put(ready, 'letter.txt', 'second'), 204);

    const started = await coda('servers', 'start', 's2', '--data', data, '--json');
    t.match(JSON.parse(started.stdout), { name: 's2', state: 'running', pid: Number });
  });

  await t.test('a killed server comes back, and the ready file tells its new process', async (t) => {
    const before = ready.servers[0]?.pid ?? 0;
    process.kill(before, 'SIGKILL');
    t.equal(await put(ready, 'letter.txt', 'third'), 204);
    const after = await eventually('s1 runs again', async () => {
      const server = (await statusOf(data)).servers[0];
      return server?.state === 'running' && server.pid !== before ? server.pid : undefined;
    });
    const told = (): true | undefined => (readReady(readyFile)?.servers[0]?.pid === after ? true : undefined);
    await eventually('the ready file tells it', told);
  });

  await t.test('users of a running realm', async (t) => {
    writeFileSync(join(folder, 'password'), 'correct horse\n');
    const addBob = ['user', 'add', 'bob', '--password-file', join(folder, 'password'), '--data', data];
    const add = await coda(...addBob);
    t.equal(add.code, 0, add.stderr);
    const bob = { ...ready, user: 'bob', password: 'correct horse' };
    // Half a second apart: too many refusals in a row would lock bob out.
    const known = async (): Promise<true | undefined> =>
      (await get(bob, 'letter.txt')) === '200 third' ? true : delay(500, undefined);
    await eventually('bob is known', known);
    const list = await coda('user', 'list', '--data', data, '--json');
    t.same(JSON.parse(list.stdout), { users: ['ada', 'bob'], disabled: [] });
    t.equal((await coda(...addBob)).code, 4);
  });

  await t.test('one realm, one process', async (t) => {
    const second = await coda('up', '--data', data, '--listen', '127.0.0.1:0');
    t.match(second, { code: 4, stderr: /is in use: process \d+ runs on it/ });
  });

  await t.test('SIGTERM stops everything, the next start finds it as it was', async (t) => {
    first.child.kill('SIGTERM');
    t.equal(await first.ended, 0);
    t.equal(readReady(readyFile), undefined);
    for (const { url } of [...ready.servers, ...ready.gateways]) t.notOk(await isListening(url), url);
    t.match(await coda('status', '--data', data), { code: 3, stderr: /Nothing is running/ });
    t.match(await coda('up', '--data', data, '--servers', '5'), { code: 4, stderr: /has 3 servers/ });

    const second = new Up(readyFile, ['--data', data, '--gateways', '2']);
    const again = await second.ready();
    t.same([again.user, again.password], [ready.user, ready.password]);
    t.same(
      again.servers.map(({ url }) => url),
      ready.servers.map(({ url }) => url),
      'ports are kept',
    );
    t.equal(await get(again, 'letter.txt'), '200 third');
    t.same(
      again.gateways.map(({ name }) => name),
      ['g1', 'g2'],
    );
    const other = { ...again, url: again.gateways[1]?.url ?? '' };
    t.equal(await get(other, 'letter.txt'), '200 third', 'the same share at the second gateway');
    await t.test('one gateway works without servers for a while', (t) =>
      plannedDisconnection(t, data, again, other),
    );

    second.child.kill('SIGKILL');
    await second.ended;
    for (const { url } of [...again.servers, ...again.gateways]) {
      await eventually(`${url} is gone`, async () => ((await isListening(url)) ? undefined : true));
    }
  });

  await t.test(
    'a start after kill -9, with a port taken, one asked for by a gateway, a new password',
    async (t) => {
      const asked = new URL(ready.servers[2]?.url ?? '').host;
      const taken = Number(new URL(ready.servers[1]?.url ?? '').port);
      const squatter = createServer().listen(taken, '127.0.0.1');
      await once(squatter, 'listening');
      t.teardown(() => squatter.close());
      // Another file: the killed one has left its own, which would be taken for this one's until that starts.
      const options = ['--data', data, '--password-file', join(folder, 'password'), '--listen', asked];
      const third = new Up(join(folder, 'ready-again.json'), options);
      const again = await third.ready();
      t.equal(again.password, 'correct horse');
      t.not(again.servers[1]?.url, ready.servers[1]?.url);
      t.equal(again.servers[0]?.url, ready.servers[0]?.url);
      t.equal(new URL(again.url).host, asked, "the address that a person asks for is the gateway's");
      t.not(again.servers[2]?.url, ready.servers[2]?.url, 'and the server that had it moves');
      t.equal(await get(again, 'letter.txt'), '200 third');
      third.child.kill('SIGINT');
      t.equal(await third.ended, 0);
    },
  );
});

t.test('what is wrong is said with what to do, and ends with its code', async (t) => {
  const folder = t.testdir({
    newer: { 'coda-folder.json': JSON.stringify({ format: 99, something: 'else' }) },
    older: { 'coda-folder.json': JSON.stringify({ format: 1, something: 'else' }) },
    server: { 'coda-folder.json': JSON.stringify({ format: 2, role: 'server', name: 's1', realm: 'r' }) },
    'config.json': JSON.stringify({ name: 'g1', listn: '127.0.0.1:0' }),
  });
  const data = join(folder, 'new');
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  t.teardown(() => squatter.close());
  const address = squatter.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;

  const cases: [string[], number, RegExp][] = [
    [['up', '--data', join(folder, 'newer')], 4, /newer version of coda-gateway \(format 99/],
    [['up', '--data', join(folder, 'older')], 4, /written by an earlier build \(format 1\)/],
    [['up', '--data', join(folder, 'server')], 4, /belongs to the server "s1"/],
    [['up', '--data', data, '--listen', `127.0.0.1:${port}`], 4, new RegExp(`127.0.0.1:${port} is in use`)],
    [['up', '--data', data, '--listen', '0.0.0.0:0'], 2, /in the clear.*--tls-key/],
    [['up', '--data', data, '--listen', 'here'], 2, /HOST:PORT/],
    [['up', '--data', data, '--servers', '0'], 2, /from 1 to 9/],
    [['up', '--data', data, '--sevrers', '2'], 2, /Did you mean --servers/],
    [['up', '--data', data, '--password-file', join(folder, 'none')], 2, /does not exist/],
    [['gateway', '--config', join(folder, 'config.json')], 2, /unknown key "listn"; did you mean "listen"/],
    [['vice', '--config', join(folder, 'none.json')], 2, /none\.json does not exist/],
    // Not `data`: another of these commands may hold it for a moment.
    [['status', '--data', join(folder, 'none')], 3, /Nothing is running on .*coda (-- )?up --data/],
    [['statsu'], 2, /Did you mean status/],
  ];
  const runs = await Promise.all(cases.map(([options]) => coda(...options)));
  runs.forEach(({ code, stdout, stderr }, index) => {
    const [options = [], expected, message] = cases[index] ?? [];
    t.equal(code, expected, `coda ${options.join(' ')}: ${stderr}`);
    t.match(stderr, message);
    t.notMatch(stderr, /\n {4}at /, 'no stack trace');
    t.equal(stdout, '');
  });

  const json = await coda('status', '--data', data, '--json');
  t.match(JSON.parse(json.stderr), { error: { kind: 'unreachable', message: String } });
  for (const name of ['up', 'vice', 'gateway', 'status', 'servers', 'user']) {
    const { code, stdout } = await coda(name, '--help');
    t.equal(code, 0);
    t.match(stdout, /Examples:\n +coda /, `${name} --help has examples`);
  }
});
