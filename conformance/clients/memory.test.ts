/**
 * 1 GiB up, once more over the same name, and down again: the gateway's memory stays under 200 MB, at its highest,
 * logins that come meanwhile included. The bytes are made as they are sent and never held.
 */
import { createHash, type Hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { Readable } from 'node:stream';
import t from 'tap';
import { Realm } from '../realm.js';

const gibibyte = 1024 ** 3;
const pieceBytes = 256 * 1024;
const allowedBytes = 200e6;

t.setTimeout(300_000);

t.test('1 GiB up and down keeps the gateway under 200 MB', { skip: withoutProc() }, async (t) => {
  const realm = await Realm.start();
  t.teardown(() => realm.stop());
  const gateway = realm.ready.gateways[0]?.pid ?? 0;
  const say = (when: string): void => t.comment(`${when}: at most ${megabytes(peakBytes(gateway))} MB`);
  say('before');

  const first = createHash('sha256');
  t.equal((await send(realm, contents('first', first))).statusCode, 201);
  say('after a new file');

  const second = createHash('sha256');
  const [over, login] = await Promise.all([
    send(realm, contents('second', second)),
    realm.client().request('GET', '/', { headers: { authorization: basic('somebody', 'else') } }),
  ]);
  t.equal(over.statusCode, 204);
  t.equal(login.status, 401, 'a password was looked at meanwhile: that takes memory, too');
  say('after new contents of the same name');

  const received = createHash('sha256');
  for await (const chunk of await exchange(realm, { method: 'GET' })) received.update(chunk as Buffer);
  say('after reading it');
  t.equal(received.digest('hex'), second.digest('hex'), 'every byte of the second contents');
  t.ok(peakBytes(gateway) < allowedBytes, `${megabytes(peakBytes(gateway))} MB at most`);
});

/** Every piece differs from every other, so nothing is saved by what is stored already. */
function* contents(seed: string, digest: Hash): Generator<Buffer> {
  const block = createHash('shake256', { outputLength: pieceBytes }).update(seed).digest();
  for (let sent = 0; sent < gibibyte; sent += pieceBytes) {
    const piece = Buffer.from(block);
    piece.writeDoubleLE(sent);
    digest.update(piece);
    yield piece;
  }
}

async function send(realm: Realm, body: Iterable<Buffer>): Promise<IncomingMessage> {
  const headers = { 'content-length': gibibyte };
  const response = await exchange(
    realm,
    { method: 'PUT', headers },
    Readable.from(body, { highWaterMark: 1 }),
  );
  response.resume();
  return response;
}

/** With node's own client: nothing is gathered on the way. */
function exchange(realm: Realm, options: RequestOptions, body?: Readable): Promise<IncomingMessage> {
  const { url, user, password } = realm.ready;
  const headers = { ...options.headers, authorization: basic(user, password) };
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL('large', url), { ...options, headers });
    outgoing.once('response', resolve).once('error', reject);
    if (body === undefined) outgoing.end();
    else body.once('error', reject).pipe(outgoing);
  });
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** The most physical memory that process `pid` has had at any time. */
function peakBytes(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (match === null) throw new Error(`/proc/${pid}/status does not tell the peak of its memory`);
  return Number(match[1]) * 1024;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function withoutProc(): string | false {
  return existsSync('/proc/self/status') ? false : 'this system does not tell the peak of a process (/proc)';
}
