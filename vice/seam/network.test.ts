/** Both networks under the contract's suite, then what only the twin can do. */
import t from 'tap';
import { EchoService } from '../../conformance/suites/echo-service.js';
import { networkContract } from '../../conformance/suites/network.js';
import { SocketsUnderTest } from '../../conformance/suites/sockets-under-test.js';
import { TestAuthority } from '../../conformance/suites/test-authority.js';
import type { Failure } from '../interface/index.js';
import type { Clock } from './clock.js';
import { Heartbeat } from './link-heartbeat.js';
import type { DialOptions } from './network.js';
import { MemoryNetwork } from './twin/memory-network.js';
import { seededRandom } from './twin/seeded-random.js';
import { SimulatedClock } from './twin/simulated-clock.js';

const dialOptions: DialOptions = { credential: () => 'good', onPush: () => undefined };
const unreachable = { name: 'Failure', kind: 'unreachable' } as const;

networkContract(t, 'memory', async () => {
  const clock = new SimulatedClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(7) });
  return {
    client: network.host('g1'),
    server: network.host('s1'),
    address: 'ws://s1:0',
    route: async (address) => address,
    pass: (ms) => clock.advance(ms),
    settle: (promise) => clock.until(promise),
    mute: () => network.cut('g1', 's1'),
    close: async () => undefined,
  };
});

networkContract(t, 'sockets', async () => new SocketsUnderTest());

const authority = new TestAuthority('test');
const certificates = { client: authority.issue('gateway', 'g1'), server: authority.issue('server', 's1') };
networkContract(t, 'sockets with TLS', async () => new SocketsUnderTest(certificates));

t.test('NW-2: an end that slept itself grants the peer one more beat', async (test) => {
  let now = 0;
  let tick: () => void = () => undefined;
  const clock: Clock = {
    wall: () => 0,
    monotonic: () => now,
    after(_delay, task) {
      tick = task;
      return { cancel: () => undefined };
    },
  };
  let silent = 0;
  const heartbeat = new Heartbeat(clock, { sendBeat: () => undefined, onSilence: () => (silent += 1) });
  now = 60_000;
  tick();
  test.equal(silent, 0, 'after a minute asleep it does not judge');
  heartbeat.heard();
  now = 60_500;
  tick();
  test.equal(silent, 0, 'the peer was heard within one beat');
  now = 120_000;
  tick();
  now = 120_500;
  tick();
  test.equal(silent, 1, 'this time it was not');
});

interface MemoryPair {
  readonly clock: SimulatedClock;
  readonly network: MemoryNetwork;
  readonly service: EchoService;
  readonly address: string;
}

async function memoryServer(seed = 1): Promise<MemoryPair> {
  const clock = new SimulatedClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(seed), latency: [1, 9] });
  const service = new EchoService();
  const { address } = await network.host('s1').listen('ws://s1:1', service);
  return { clock, network, service, address };
}

t.test('memory: a short cut delays, a long one ends the link', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  const link = await clock.until(network.host('g1').dial(address, dialOptions));
  network.cut('g1', 's1');
  const delayed = link.call('echo', 'patience');
  await clock.advance(1500);
  test.equal(service.calls, 0);
  network.heal('g1', 's1');
  test.equal(await clock.until(delayed), 'patience');

  network.cutOneWay('s1', 'g1');
  const executed = test.rejects(link.call('echo', 'unheard'), unreachable);
  await clock.advance(4000);
  await executed;
  test.equal(service.calls, 2, 'the server has executed it');
  test.equal(service.open.size, 0);
  await test.rejects(clock.until(network.host('g1').dial(address, dialOptions)), unreachable);
  network.heal('s1', 'g1');
  test.ok(await clock.until(network.host('g1').dial(address, dialOptions)));
});

t.test('memory: lost replies take their links with them', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  network.loseReplies('s1', 'g1', 2);
  for (const time of [1, 2]) {
    const link = await clock.until(network.host('g1').dial(address, dialOptions));
    await test.rejects(clock.until(link.call('echo', time)), unreachable);
    await clock.until(link.closed);
  }
  const link = await clock.until(network.host('g1').dial(address, dialOptions));
  test.equal(await clock.until(link.call('echo', 3)), 3);
  test.equal(service.calls, 3, 'the server executed all');
  await clock.advance(20);
  test.equal(service.open.size, 1);
});

t.test(
  'memory: a lost request takes with it all that follows, until the server finds its client silent',
  async (test) => {
    const { clock, network, service, address } = await memoryServer();
    const link = await clock.until(network.host('g1').dial(address, dialOptions));
    network.loseRequests('g1', 's1', 1);
    const lost = test.rejects(link.call('echo', 'lost'), unreachable);
    const behind = test.rejects(link.call('echo', 'behind it'), unreachable);
    await clock.advance(1000);
    test.ok(link.silence() < 1000, 'the server is heard all the time');
    await clock.advance(3000);
    await Promise.all([lost, behind]);
    test.equal(service.calls, 0);
    test.equal(service.open.size, 0);
    const second = await clock.until(network.host('g1').dial(address, dialOptions));
    test.equal(await clock.until(second.call('echo', 'heard')), 'heard', 'another link is sound at once');
  },
);

t.test('memory: a request comes again, on a link of its own, also after its link was reset', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  const link = await clock.until(network.host('g1').dial(address, dialOptions));
  network.repeatRequests('g1', 's1', 2, 1000);
  test.equal(await clock.until(link.call('echo', 'twice')), 'twice');
  test.equal(await clock.until(link.call('echo', 'twice, too')), 'twice, too');
  test.equal(await clock.until(link.call('echo', 'once')), 'once');
  test.equal(service.calls, 3);
  network.reset('g1', 's1');
  await clock.until(link.closed);
  await clock.advance(500);
  test.equal(service.open.size, 0);
  await clock.advance(1000);
  test.equal(service.calls, 5, 'behind a later one');
  test.equal(service.open.size, 0, 'nobody waits for the answers');

  const again = await clock.until(network.host('g1').dial(address, dialOptions));
  network.repeatRequests('g1', 's1', 1, 1000);
  test.equal(await clock.until(again.call('echo', 'before the crash')), 'before the crash');
  network.kill('s1');
  const reborn = new EchoService();
  await network.host('s1').listen(address, reborn);
  await clock.advance(3000);
  test.equal(reborn.calls, 0, 'what waits in the sockets of a process dies with it');
});

t.test('memory: a push comes again behind later ones, and never on another link', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  const heard: unknown[] = [];
  const options = { ...dialOptions, onPush: (push: unknown) => void heard.push(push) };
  const link = await clock.until(network.host('g1').dial(address, options));
  const [session] = service.open;
  network.repeatPushes('s1', 'g1', 1, 500);
  for (const push of [1, 2]) session?.push(push);
  await clock.advance(1000);
  test.same(heard, [1, 2, 1]);
  network.repeatPushes('s1', 'g1', 1, 500);
  session?.push(3);
  await clock.advance(100);
  network.reset('g1', 's1');
  await clock.until(link.closed);
  await clock.until(network.host('g1').dial(address, options));
  await clock.advance(1000);
  test.same(heard, [1, 2, 1, 3]);
});

t.test('memory: a killed process is dead, its peers learn it, a new one takes its place', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  const dead = network.host('s1');
  const link = await clock.until(network.host('g1').dial(address, dialOptions));
  const call = test.rejects(link.call('never', null), unreachable);
  network.kill('s1');
  await clock.advance(20);
  await call;
  test.equal(service.open.size, 1, 'the dead process was told nothing');
  test.equal(service.calls, 0, 'not even what was on its way');
  await test.rejects(clock.until(network.host('g1').dial(address, dialOptions)), unreachable);
  await test.rejects(dead.listen(address, service), /was killed/);

  const reborn = new EchoService();
  await network.host('s1').listen(address, reborn);
  const gateway = network.host('g1');
  const second = await clock.until(gateway.dial(address, dialOptions));
  let settled = false;
  second
    .call('never', null)
    .finally(() => (settled = true))
    .catch(() => undefined);
  await clock.advance(20);
  test.equal(reborn.calls, 1);
  network.kill('g1');
  await clock.advance(60_000);
  test.equal(reborn.open.size, 0, 'the server has closed the session');
  test.notOk(settled, 'nothing happens to a dead client');
  test.equal(clock.pending, 0, 'and nothing is left of it');
});

t.test('memory: a paused process hears nothing until it goes on', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  const link = await clock.until(network.host('g1').dial(address, dialOptions));
  network.pause('s1');
  let ticks = 0;
  network.clock('s1').after(100, () => (ticks += 1));
  const cancelled = network.clock('s1').after(100, () => (ticks += 10));
  const call = link.call('echo', 'after the pause');
  await clock.advance(1000);
  test.equal(service.calls, 0);
  test.equal(ticks, 0, 'its timers wait');
  cancelled.cancel();
  network.resume('s1');
  test.equal(ticks, 1, 'what fell due runs at once, what was cancelled does not');
  test.equal(await clock.until(call), 'after the pause');

  network.cut('g1', 's1');
  network.pause('s1');
  network.resume('s1');
  const late = test.rejects(link.call('echo', 'lost'), unreachable);
  await clock.advance(4000);
  await late;
  test.equal(service.calls, 1, 'a way that is cut stays cut');
});

t.test('memory: a machine without power tells nobody; slow ways and wrong clocks', async (test) => {
  const { clock, network, service, address } = await memoryServer();
  const link = await clock.until(network.host('g1').dial(address, dialOptions));
  network.delay('g1', 's1', 400);
  const start = clock.monotonic();
  test.equal(await clock.until(link.call('echo', 'slow')), 'slow');
  test.ok(clock.monotonic() - start >= 400, 'one way is slow');
  network.delay('g1', 's1', 0);

  network.setWallOffset('s1', 3_600_000);
  test.equal(network.clock('s1').wall() - network.clock('g1').wall(), 3_600_000);
  test.equal(
    network.clock('s1').monotonic(),
    network.clock('g1').monotonic(),
    'monotonic clocks do not jump',
  );

  let closed = false;
  void link.closed.then(() => (closed = true));
  network.kill('s1', true);
  await clock.advance(1000);
  test.notOk(closed, 'the connection is half open');
  await clock.advance(3000);
  test.ok(closed, 'silence tells it');
  test.equal(service.open.size, 1, 'the dead process was told nothing');
});

t.test('memory: the same seed gives the same run, another one another', async (test) => {
  const run = async (seed: number): Promise<string> => {
    const { clock, network, address } = await memoryServer(seed);
    const trace: string[] = [];
    const work = async (name: string): Promise<void> => {
      const link = await network.host(name).dial(address, dialOptions);
      for (let call = 0; call < 20; call += 1) {
        const outcome = await link.call('echo', call).catch((error: Failure) => error.kind);
        trace.push(`${name} ${String(outcome)} ${clock.monotonic()}`);
      }
    };
    const all = Promise.all(['g1', 'g2', 'g3'].map(work));
    await clock.advance(30);
    network.cut('g2', 's1');
    await clock.until(all);
    return trace.join('\n');
  };
  test.equal(await run(5), await run(5));
  test.not(await run(5), await run(6));
});
