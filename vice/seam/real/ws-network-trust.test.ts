/** Who is let in, and who is believed: every certificate that must be refused, and what both sides are told. */
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { TestAuthority } from '../../../conformance/suites/test-authority.js';
import { until } from '../../../conformance/program.js';
import {
  isFailure,
  signCredential,
  verifyCredential,
  type Peer,
  type Role,
  type ShownCertificate,
} from '../../interface/index.js';
import { silentLog, type Log } from '../log.js';
import type { Listener, Service, Session } from '../network.js';
import {
  readCertificates,
  RealmCertificates,
  type Certificates,
  type CertificateSet,
} from './realm-certificates.js';
import { systemClock } from './system-clock.js';
import { wsNetwork } from './ws-network.js';

const clock = systemClock();
const realmKey = new Uint8Array(randomBytes(32));
const authority = new TestAuthority('office');
const foreign = new TestAuthority('office');
const good = { s1: authority.issue('server', 's1'), s2: authority.issue('server', 's2') };
const g1 = authority.issue('gateway', 'g1');

/** As the real service: the credential is that of the shared key. */
class RealmService implements Service {
  readonly hello = { protocol: 1, server: 's1', realm: 'office' };
  readonly peers: Peer[] = [];
  readonly sessions: Session[] = [];
  /** When certificates must have become valid to count. */
  before = 0;

  authenticate(credential: string): Peer | undefined {
    return verifyCredential(realmKey, 'office', credential, clock.wall());
  }

  refuses({ validFrom }: ShownCertificate): string | undefined {
    return validFrom < this.before ? 'its certificate was revoked' : undefined;
  }

  opened(session: Session): void {
    this.sessions.push(session);
    this.peers.push(session.peer);
  }

  closed(): void {}

  async call(): Promise<unknown> {
    return 'answered';
  }

  async download(): Promise<AsyncIterable<Uint8Array>> {
    return (async function* () {
      yield Buffer.from('contents');
    })();
  }

  async upload(): Promise<void> {}

  async page(): Promise<{ type: string; body: string }> {
    return { type: 'text/plain', body: 'figures' };
  }
}

interface Line {
  readonly event: string;
  readonly reason: unknown;
}

class Place {
  readonly service = new RealmService();
  /** What the server has logged as warnings. */
  readonly lines: Line[] = [];
  readonly listener: Listener;

  private constructor(listener: Listener, lines: Line[], service: RealmService) {
    this.listener = listener;
    this.lines = lines;
    this.service = service;
  }

  static async open(test: Test, certificates: Certificates): Promise<Place> {
    const lines: Line[] = [];
    const add = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      lines.push({ event, reason: fields['reason'] });
    };
    const log: Log = { debug() {}, info() {}, warn: add, error: add };
    const service = new RealmService();
    const listener = await wsNetwork({ clock, log, certificates }).listen('wss://127.0.0.1:0', service);
    test.teardown(() => listener.close());
    return new Place(listener, lines, service);
  }

  /** Dials as `peer`, meaning s1; says what comes of it. */
  async dial(set: Certificates, role: Role, name: string, server = 's1'): Promise<string> {
    const peer = { role, name: role === 'gateway' ? `${name}/0123456789abcdef` : name };
    const credential = signCredential(realmKey, 'office', peer, clock.wall() + 60_000);
    const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
    const network = wsNetwork({ clock, log, certificates: set });
    try {
      const link = await network.dial(this.listener.address, {
        credential: () => credential,
        server,
        onPush() {},
      });
      const chunks: Uint8Array[] = [];
      for await (const chunk of await link.download('x', 0)) chunks.push(chunk);
      const answer = `${String(await link.call('x', 1))}, ${Buffer.concat(chunks).toString()}`;
      link.close();
      return answer;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return `${error.kind}: ${error.message}`;
    }
  }

  /** The reasons that the server has given for refusals, one at least. */
  async told(): Promise<readonly unknown[]> {
    await until('a line in the log', 20_000, () => (this.lines.length > 0 ? true : undefined), 5);
    return this.lines.map(({ event, reason }) => (event === 'peer refused' ? reason : event));
  }
}

const fixed = (set: CertificateSet): Certificates => ({ current: () => set });

t.test('whoever is who they say comes in, for links and for contents', async (t) => {
  const place = await Place.open(t, fixed(good.s1));
  t.match(place.listener.address, /^wss:/);
  t.equal(await place.dial(fixed(g1), 'gateway', 'g1'), 'answered, contents');
  t.equal(await place.dial(fixed(good.s2), 'server', 's2'), 'answered, contents');
  const ada = authority.issue('operator', 'ada');
  t.equal(await place.dial(fixed(ada), 'operator', 'ada'), 'answered, contents');
  t.same(
    place.service.peers.map(({ role }) => role),
    ['gateway', 'server', 'operator'],
  );
  t.same(place.lines, []);
});

/** Who dials s1 with which certificate as whom, and what must be said of it. */
const refusedDials: readonly (readonly [string, CertificateSet, Role, string, RegExp])[] = [
  [
    'one of another authority',
    foreign.issue('gateway', 'g1'),
    'gateway',
    'g1',
    /not of the authority .*gateway g1/,
  ],
  [
    'one that has expired',
    authority.issue('gateway', 'g1', { days: [-9, -2] }),
    'gateway',
    'g1',
    /has expired.*g1/,
  ],
  ['one of tomorrow', authority.issue('gateway', 'g1', { days: [1, 9] }), 'gateway', 'g1', /not valid yet/],
  [
    'one of another realm',
    authority.issue('gateway', 'g1', { realm: 'home' }),
    'gateway',
    'g1',
    /another realm \(home/,
  ],
  ['one without a name', authority.issue('gateway', 'g1', { uris: [] }), 'gateway', 'g1', /names nobody/],
  ['one with two names', twoNames(), 'gateway', 'g1', /names nobody/],
  [
    'one for listening alone',
    authority.issue('gateway', 'g1', { purposes: ['server'] }),
    'gateway',
    'g1',
    /purpose/,
  ],
  ['that of a gateway, as a server', g1, 'server', 's2', /calls as server s2, .* that of gateway g1/],
  ['that of a server, as another one', good.s1, 'server', 's2', /calls as server s2, .* that of server s1/],
  ['that of a server, as a gateway', good.s2, 'gateway', 's2', /that of server s2/],
  ['that of a gateway, as another one', g1, 'gateway', 'g2', /calls as gateway g2.* that of gateway g1/],
  ['that of a gateway, as an administrator', g1, 'operator', 'g1', /calls as operator g1, .* gateway g1/],
];

for (const [what, set, role, name, reason] of refusedDials) {
  t.test(`refused: ${what}`, async (t) => {
    const place = await Place.open(t, fixed(good.s1));
    // What it trusts is that of the server: the server's judgement is looked at here.
    const outcome = await place.dial(
      fixed({ ...set, authority: authority.certificate, identity: g1.identity }),
      role,
      name,
    );
    t.match(outcome, /^not-authenticated: .*refuses this side: /, 'the dialler is told');
    t.match(outcome, reason);
    const told = await place.told();
    t.equal(told.length, 1, 'one line');
    t.match(told[0], reason, 'and so is the log of the server');
    t.same(place.service.peers, [], 'nobody came in');
  });
}

/** Which server is at the address of s1, and what must be said of it. */
const refusedServers: readonly (readonly [string, CertificateSet, RegExp])[] = [
  ['another server', good.s2, /that of server s2, not of server s1/],
  [
    'a gateway',
    authority.issue('gateway', 's1', { purposes: ['server', 'client'] }),
    /that of gateway s1, not/,
  ],
  ['one who may only dial', authority.issue('server', 's1', { purposes: ['client'] }), /another purpose/],
  ['one of another authority', foreign.issue('server', 's1'), /not of the authority of this realm/],
  ['one whose certificate has expired', authority.issue('server', 's1', { days: [-9, -2] }), /has expired/],
  ['one of another realm', authority.issue('server', 's1', { realm: 'home' }), /another realm \(home/],
];

for (const [what, set, reason] of refusedServers) {
  t.test(`not believed: ${what} at the address of s1`, async (t) => {
    const place = await Place.open(t, fixed({ ...set, authority: authority.certificate }));
    const outcome = await place.dial(fixed(g1), 'gateway', 'g1');
    t.match(outcome, /^not-authenticated: .* is not the server that it should be/);
    t.match(outcome, reason);
    t.match(await place.told(), [/it left without a word|does not accept/], 'the server, too, has a line');
    t.same(place.service.peers, []);
  });
}

t.test('refused: one that was revoked, for new links and for transfers beside one that stands', async (t) => {
  const place = await Place.open(t, fixed(good.s1));
  const credential = signCredential(
    realmKey,
    'office',
    { role: 'gateway', name: 'g1/0123456789abcdef' },
    clock.wall() + 60_000,
  );
  const network = wsNetwork({ clock, log: silentLog, certificates: fixed(g1) });
  const link = await network.dial(place.listener.address, {
    credential: () => credential,
    server: 's1',
    onPush() {},
  });
  t.match(link.shown, { role: 'server', name: 's1' }, 'what the server has shown is known here');
  const [session] = place.service.sessions;
  t.match(session?.shown, { role: 'gateway', name: 'g1' }, 'and there what this side has');
  place.service.before = Date.now();
  t.ok((session?.shown?.validFrom ?? place.service.before) < place.service.before);
  await t.rejects(link.download('x', 0), { kind: 'not-authenticated', message: /revoked .*gateway g1/ });
  const page = await pageShown(place, g1);
  t.match(page, /^401 its certificate was revoked .*gateway g1/, 'nor does it open a page');
  t.equal(await pageShown(place, good.s2, Number.NEGATIVE_INFINITY), '200 figures');
  link.close();
  t.match(await place.dial(fixed(g1), 'gateway', 'g1'), /refuses this side: .*was revoked.*gateway g1/);
  t.match((await place.told())[0], /revoked.*gateway g1/, 'and so is the log of the server');
  const fresh = authority.issue('gateway', 'g1', { days: [1 / 86_400, 9] });
  place.service.before = Date.now() - 1000;
  const came = await until('the new one to be valid', 20_000, async () => {
    const outcome = await place.dial(fixed(fresh), 'gateway', 'g1');
    return outcome.includes('not valid yet') ? undefined : outcome;
  });
  t.equal(came, 'answered, contents', 'one that was issued since comes in');
});

t.test('not believed: a server whose certificate was revoked', async (t) => {
  const place = await Place.open(t, fixed(good.s1));
  const asked: ShownCertificate[] = [];
  const network = wsNetwork({ clock, log: silentLog, certificates: fixed(g1) });
  const refuses = (shown: ShownCertificate): string => {
    asked.push(shown);
    return 'its certificate was revoked';
  };
  const dialled = network.dial(place.listener.address, {
    credential: () => 'x',
    server: 's1',
    refuses,
    onPush() {},
  });
  await t.rejects(dialled, {
    kind: 'not-authenticated',
    message: /not the server that it should be: .*revoked/,
  });
  t.match(asked, [{ role: 'server', name: 's1' }]);
  t.same(place.service.peers, []);
});

t.test('without a certificate, without TLS, with an older TLS nobody gets anything', async (t) => {
  const place = await Place.open(t, fixed(good.s1));
  const { host, port } = { host: '127.0.0.1', port: Number(new URL(place.listener.address).port) };
  const ask = (versions: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host, port, rejectUnauthorized: false, ...versions });
      let said = '';
      socket.on('secureConnect', () => socket.write('GET /metrics HTTP/1.1\r\nHost: s1\r\n\r\n'));
      socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
      socket.on('error', (error) => (said += error.message));
      socket.on('close', () => resolve(said));
    });
  const nobody = await ask({});
  t.match(nobody, /^HTTP\/1\.1 401 .*\r\nx-refused: it shows no certificate/);
  t.notMatch(nobody, 'figures');
  t.match(await ask({ maxVersion: 'TLSv1.2' }), /alert protocol version|unsupported protocol/);
  const plain = await new Promise<string>((resolve) => {
    plainRequest(`http://${host}:${port}/metrics`, () => resolve('answered'))
      .on('error', () => resolve('nothing'))
      .end();
  });
  t.equal(plain, 'nothing');
  const told = (await place.told()).join('\n');
  for (const line of [/shows no certificate/, /does not speak TLS 1.3/, /plain HTTP/]) t.match(told, line);
});

t.test('a network with certificates neither dials nor listens without', async (t) => {
  const network = wsNetwork({
    clock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    certificates: fixed(g1),
  });
  const options = { credential: () => 'x', onPush() {} };
  await t.rejects(network.dial('ws://127.0.0.1:1', options), /addresses are wss/);
  await t.rejects(network.listen('ws://127.0.0.1:0', new RealmService()), /listens on wss/);
});

t.test('files that are replaced are used from the next handshake on, one at a time or not', async (t) => {
  const folder = t.testdir({});
  const files = {
    certificate: join(folder, 'x.crt'),
    key: join(folder, 'x.key'),
    authority: join(folder, 'ca.crt'),
  };
  const put = (file: string, text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const [old, next] = [authority.issue('server', 's1', { days: [-1, 50] }), good.s1];
  put(files.certificate, old.certificate);
  put(files.key, old.key);
  put(files.authority, authority.certificate);
  let passed = 0;
  const moving = { ...clock, monotonic: () => clock.monotonic() + passed };
  const log: Log = { debug() {}, info() {}, warn() {}, error: (event) => lines.push(event) };
  const lines: string[] = [];
  const own = new RealmCertificates(files, { clock: moving, log });
  const look = (): CertificateSet => {
    passed += 5000;
    return own.current();
  };
  t.equal(look().certificate, old.certificate);
  t.equal(look(), own.current(), 'the same object while nothing changes');

  put(files.certificate, next.certificate);
  t.equal(look().key, old.key, 'a certificate without its key is not used');
  t.equal(look().certificate, old.certificate);
  t.same(lines, ['new certificate not used'], 'which is said once');
  put(files.key, next.key);
  t.equal(look().certificate, next.certificate);
  t.equal(look().key, next.key);

  put(files.certificate, good.s2.certificate);
  put(files.key, good.s2.key);
  t.equal(look().certificate, next.certificate, 'that of somebody else is not taken');
});

t.test('a listener shows its new certificate without closing a link', async (t) => {
  let shown = authority.issue('server', 's1', { days: [-1, 50] });
  const place = await Place.open(t, { current: () => shown });
  const before = await serialShown(place);
  shown = authority.issue('server', 's1', { days: [-1, 55] });
  const after = await until('the new certificate', 20_000, async () => {
    const now = await serialShown(place);
    return now === before ? undefined : now;
  });
  t.not(after, before);
  t.equal(await place.dial(fixed(g1), 'gateway', 'g1'), 'answered, contents');
});

t.test('files that do not fit are refused in words', async (t) => {
  const folder = t.testdir({});
  const other = authority.issue('server', 's1');
  const old = authority.issue('server', 's1', { days: [-9, -2] });
  const nameless = authority.issue('server', 's1', { uris: ['coda://office/server/s1/more'] });
  const at = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const ca = at('ca.crt', authority.certificate);
  const read = (set: CertificateSet, changes: object = {}): (() => unknown) => {
    const files = { certificate: at('x.crt', set.certificate), key: at('x.key', set.key), authority: ca };
    return () => readCertificates({ ...files, ...changes }, Date.now());
  };
  t.same(
    readCertificates(
      { certificate: at('x.crt', g1.certificate), key: at('x.key', g1.key), authority: ca },
      Date.now(),
    ).identity,
    g1.identity,
  );
  t.throws(read(good.s1, { key: at('other.key', other.key) }), /other\.key is not the key of .*x\.crt/);
  t.throws(read(good.s1, { key: at('no.key', 'no key') }), /no\.key is not the key/);
  t.throws(read(good.s1, { key: join(folder, 'missing') }), /missing cannot be read/);
  t.throws(read(good.s1, { certificate: at('no.crt', 'none') }), /no\.crt holds no certificate/);
  t.throws(
    read(good.s1, { authority: at('other.crt', foreign.certificate) }),
    /not issued by the authority in .*other\.crt/,
  );
  t.throws(read(old), /has expired on/);
  t.throws(read(nameless), /names no server, gateway or administrator/);
});

async function serialShown(place: Place): Promise<string> {
  const { port, hostname: host } = new URL(place.listener.address);
  return new Promise((resolve, reject) => {
    const set = g1;
    const socket = connect({
      ...{ port: Number(port), host, cert: set.certificate, key: set.key, ca: set.authority },
      checkServerIdentity: () => undefined,
    });
    socket.on('secureConnect', () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** What a GET of a page answers to who shows `set`; `before`: when certificates must have become valid meanwhile. */
async function pageShown(place: Place, set: CertificateSet, before = place.service.before): Promise<string> {
  const meanwhile = place.service.before;
  place.service.before = before;
  try {
    const { port, hostname } = new URL(place.listener.address);
    const own = { cert: set.certificate, key: set.key, ca: set.authority, agent: false };
    const options = { ...own, checkServerIdentity: () => undefined, port, hostname, path: '/metrics' };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpsGet(options, resolve).on('error', reject);
    });
    let body = '';
    for await (const chunk of response) body += String(chunk);
    return `${response.statusCode} ${String(response.headers['x-refused'] ?? body)}`;
  } finally {
    place.service.before = meanwhile;
  }
}

function twoNames(): CertificateSet {
  return authority.issue('gateway', 'g1', { uris: ['coda://office/gateway/g1', 'coda://office/server/s2'] });
}
