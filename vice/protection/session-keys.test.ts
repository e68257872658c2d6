/** Both ends of a link while the realm key is renewed, and a link that is older than what it was opened with. */
import t from 'tap';
import { EchoService } from '../../conformance/suites/echo-service.js';
import { Failure, isFailure, signCredential, type RealmKeys } from '../interface/index.js';
import type { Link, Session } from '../seam/network.js';
import { dialProved } from '../seam/proved-dial.js';
import { MemoryNetwork } from '../seam/twin/memory-network.js';
import { seededRandom } from '../seam/twin/seeded-random.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { SessionKeys } from './session-keys.js';

const hour = 60 * 60 * 1000;
const [older, newer, foreign] = [1, 2, 3].map((value) => new Uint8Array(32).fill(value)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

class ChangingKeys implements RealmKeys {
  #keys: readonly Uint8Array[];
  readonly #listeners = new Set<() => void>();

  constructor(...keys: readonly Uint8Array[]) {
    this.#keys = keys;
  }

  all(): readonly Uint8Array[] {
    return this.#keys;
  }

  watch(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  set(...keys: readonly Uint8Array[]): void {
    this.#keys = keys;
    for (const listener of this.#listeners) listener();
  }

  get watchers(): number {
    return this.#listeners.size;
  }
}

/** A server that asks for proof as the real one does. */
class ProvedService extends EchoService {
  readonly keys: SessionKeys;
  readonly #sessions = new Map<number, Session>();

  constructor(keys: RealmKeys, clock: SimulatedClock) {
    super();
    this.keys = new SessionKeys(keys, 'office', clock);
    this.keys.follow(this.#sessions);
  }

  override authenticate(credential: string) {
    return this.keys.authenticate(credential) as ReturnType<EchoService['authenticate']>;
  }

  override opened(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  override closed(session: Session): void {
    this.#sessions.delete(session.id);
  }

  override async call(session: Session, name: string, argument: unknown): Promise<unknown> {
    if (name !== 'prove') return super.call(session, name, argument);
    const { credential } = argument as { credential: string };
    if (this.keys.prove(session, credential)) return {};
    throw new Failure('not-authenticated', 'vice.prove', 'no');
  }

  get older(): number {
    return [...this.#sessions.values()].filter((session) => this.keys.isOlder(session)).length;
  }
}

async function realm(server: RealmKeys) {
  const clock = new SimulatedClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(3), latency: [1, 1] });
  const service = new ProvedService(server, clock);
  await clock.until(network.host('s1').listen('ws://s1:1', service));
  const dial = (keys: RealmKeys, name = 'g1'): Promise<Link> => {
    const proof = { keys, realm: 'office', peer: { role: 'gateway', name }, lifeMs: hour } as const;
    return clock.until(
      dialProved('ws://s1:1', { onPush() {} }, proof, { clock, network: network.host('g1') }),
    );
  };
  return { clock, service, dial };
}

async function fetched(clock: SimulatedClock, link: Link): Promise<string> {
  const all = async (): Promise<string> => {
    let length = 0;
    for await (const chunk of await link.download('10', 0)) length += chunk.length;
    return `${length > 0 ? 'some' : 'no'} bytes`;
  };
  return clock.until(all().catch((error: unknown) => (isFailure(error) ? error.kind : String(error))));
}

t.test('PD-3: a transfer beside a link that is older than its first credential', async (t) => {
  const { clock, dial } = await realm(new ChangingKeys(older));
  const link = await dial(new ChangingKeys(older));
  await clock.advance(3 * hour);
  t.equal(await fetched(clock, link), 'some bytes');
});

t.test('PD-1, PD-2: in whatever order they get the new key, no link is lost', async (t) => {
  for (const isServerFirst of [true, false]) {
    const keys = { server: new ChangingKeys(older), gateway: new ChangingKeys(older) };
    const { clock, service, dial } = await realm(keys.server);
    const link = await dial(keys.gateway);
    let isClosed = false;
    void link.closed.then(() => (isClosed = true));
    const order = isServerFirst ? [keys.server, keys.gateway] : [keys.gateway, keys.server];
    for (const each of order) {
      each.set(newer, older);
      await clock.advance(10_000);
      t.equal(await fetched(clock, link), 'some bytes');
      (await dial(keys.gateway, 'g2')).close();
    }
    t.equal(service.older, 0, 'the link is proved with the new one');
    for (const each of order) {
      each.set(newer);
      await clock.advance(10_000);
      t.equal(await fetched(clock, link), 'some bytes');
    }
    t.notOk(isClosed);
    link.close();
    await clock.advance(1000);
    t.equal(keys.gateway.watchers, 0);
  }
});

t.test('SK-1, SK-2: who has the old key alone is refused, and what it has open ends', async (t) => {
  const server = new ChangingKeys(newer, older);
  const { clock, service, dial } = await realm(server);
  const link = await dial(new ChangingKeys(older));
  t.equal(service.older, 1, 'who is meant is seen');
  server.set(newer);
  t.match(await clock.until(link.closed), /realm key/);
  for (const key of [older, foreign]) {
    const refused: unknown = await dial(new ChangingKeys(key)).catch((error: unknown) => error);
    t.ok(isFailure(refused, 'not-authenticated'));
  }
});

t.test('a session is proved again as itself, not as another one', async (t) => {
  const server = new ChangingKeys(newer, older);
  const { clock, service, dial } = await realm(server);
  const both = new ChangingKeys(older, newer);
  const link = await dial(both);
  const other = signCredential(newer, 'office', { role: 'gateway', name: 'g2' }, clock.wall() + hour);
  const answer: unknown = await clock.until(
    link.call('prove', { credential: other }).catch((error: unknown) => error),
  );
  t.ok(isFailure(answer, 'not-authenticated'));
  t.equal(service.older, 1);
});
