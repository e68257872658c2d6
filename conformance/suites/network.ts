/**
 * What every Network must do: NW-1 to NW-5 of vice/seam/network.ts, and each Failure that its comments name.
 * The same suite runs on the sockets and on the memory twin: what a simulation shows holds outside it.
 */
import type { Test } from 'tap';
import { Failure, failureKinds, type FailureKind } from '../../vice/interface/index.js';
import { frameBytes, linkTiming, type DialOptions } from '../../vice/seam/network.js';
import {
  credential,
  eventually,
  failsWith,
  fid,
  linked,
  listening,
  collect,
  pattern,
  peer,
  type MakeNetwork,
} from './network-fixture.js';
import { downloads, uploads } from './network-transfers.js';

/** Runs the suite on the networks that `makeNetwork` makes, a new one for each test. */
export function networkContract(t: Test, name: string, makeNetwork: MakeNetwork): void {
  t.test(`${name}: Network contract`, async (suite) => {
    opening(suite, makeNetwork);
    calling(suite, makeNetwork);
    longReplies(suite, makeNetwork);
    takenParts(suite, makeNetwork);
    ending(suite, makeNetwork);
    silence(suite, makeNetwork);
    bounds(suite, makeNetwork);
    downloads(suite, makeNetwork);
    uploads(suite, makeNetwork);
  });
}

function opening(suite: Test, make: MakeNetwork): void {
  suite.test('a link opens with a hello and is a session of the proven peer', async (t) => {
    const { link, service } = await linked(t, make);
    t.same(link.hello, service.hello);
    t.same(
      service.sessions.map((session) => session.peer),
      [peer],
    );
  });

  suite.test('sessions have ids of their own', async (t) => {
    const { net, listener, service } = await linked(t, make);
    const options = { credential: () => credential, onPush: () => undefined };
    const second = await net.settle(net.client.dial(await net.route(listener.address), options));
    t.not(service.sessions[0]?.id, service.sessions[1]?.id);
    second.close();
  });

  suite.test('a credential that proves nobody is refused before there is a session', async (t) => {
    const { net, listener, service } = await listening(t, make);
    const dial = net.client.dial(await net.route(listener.address), {
      credential: () => 'forged',
      onPush() {},
    });
    await failsWith(t, net.settle(dial), 'not-authenticated', 'the dial');
    t.equal(service.sessions.length, 0);
  });

  suite.test('where nobody listens, a dial fails with unreachable', async (t) => {
    const { net, listener } = await listening(t, make);
    await net.settle(listener.close());
    const dial = net.client.dial(await net.route(listener.address), {
      credential: () => credential,
      onPush() {},
    });
    await failsWith(t, net.settle(dial), 'unreachable', 'the dial');
  });

  suite.test('a dial that is not answered fails with unreachable after dialMs', async (t) => {
    const { net, listener } = await listening(t, make);
    const address = await net.route(listener.address);
    net.mute();
    const dial = net.client.dial(address, { credential: () => credential, onPush() {} });
    const failed = failsWith(t, dial, 'unreachable', 'the dial');
    await net.pass(linkTiming.dialMs);
    await failed;
  });

  suite.test('an address in use, or none at all, is invalid', async (t) => {
    const { net, listener, service } = await listening(t, make);
    await failsWith(t, net.settle(net.server.listen(listener.address, service)), 'invalid', 'in use');
    await failsWith(t, net.settle(net.server.listen('nowhere', service)), 'invalid', 'no address');
    const dial = net.client.dial('nowhere', { credential: () => credential, onPush() {} });
    await failsWith(t, net.settle(dial), 'invalid', 'no address');
  });

  suite.test('an address that was released can be listened on again', async (t) => {
    const { net, listener, service } = await listening(t, make);
    await net.settle(listener.close());
    const again = await net.settle(net.server.listen(listener.address, service));
    t.equal(again.address, listener.address);
    await net.settle(again.close());
  });
}

function calling(suite: Test, make: MakeNetwork): void {
  suite.test('arguments and results arrive as copies', async (t) => {
    const { call } = await linked(t, make);
    const argument = { text: 'grüße', list: [1, 2.5, null, true], big: 2 ** 50, bytes: pattern(1000) };
    const result = await call('echo', argument);
    t.same(result, argument);
    t.not(result, argument);
    argument.bytes.fill(0);
    t.same((result as typeof argument).bytes, pattern(1000), 'bytes are not shared');
  });

  suite.test('NW-1: pushes and replies arrive in the order in which they were sent', async (t) => {
    const { net, service, listener } = await listening(t, make);
    const order: string[] = [];
    service.handlers['change'] = (session, argument) => {
      session.push(`push ${String(argument)}`);
      return argument;
    };
    const options: DialOptions = { credential: () => credential, onPush: (push) => order.push(String(push)) };
    const link = await net.settle(net.client.dial(await net.route(listener.address), options));
    const ids = [1, 2, 3, 4, 5];
    await net.settle(
      Promise.all(ids.map(async (id) => order.push(`reply ${String(await link.call('change', id))}`))),
    );
    for (const id of ids) {
      const [push, reply] = [order.indexOf(`push ${id}`), order.indexOf(`reply ${id}`)];
      t.ok(push >= 0 && push < reply, `push ${id} before its reply`);
    }
    t.same(
      order.filter((entry) => entry.startsWith('push')),
      ids.map((id) => `push ${id}`),
    );
    link.close();
  });

  suite.test('calls do not wait for each other', async (t) => {
    const { link, call } = await linked(t, make);
    const never = link.call('never', null);
    never.catch(() => undefined);
    t.equal(await call('echo', 'overtaken'), 'overtaken');
  });

  suite.test('NW-4: every Failure arrives as it was thrown', async (t) => {
    const { service, call } = await linked(t, make);
    service.handlers['fail'] = (_session, kind) => {
      throw new Failure(kind as FailureKind, 'vice.test', `told: ${String(kind)}`, { fid });
    };
    for (const kind of failureKinds) {
      await t.rejects(call('fail', kind), { name: 'Failure', kind, message: `told: ${kind}`, fid });
    }
  });

  suite.test('NW-4: any other error, or a result that no frame can hold, tells nothing', async (t) => {
    const { service, call } = await linked(t, make);
    service.handlers['crash'] = () => {
      throw new Error('secret detail');
    };
    service.handlers['odd'] = () => ({ value: 2n ** 80n });
    for (const name of ['crash', 'odd']) {
      const error: unknown = await call(name).catch((caught: unknown) => caught);
      t.match(error, { name: 'Failure', kind: 'incompatible' }, name);
      t.notMatch((error as Error).message, /secret/);
    }
    t.equal(await call('echo', 1), 1, 'the link stands');
  });

  suite.test('a call without a reply times out, its late reply is ignored', async (t) => {
    const { net, service, link, call } = await linked(t, make);
    let answer: (value: unknown) => void = () => undefined;
    service.handlers['late'] = () => new Promise((resolve) => (answer = resolve));
    const late = failsWith(t, link.call('late', null, { timeoutMs: 700 }), 'timeout', 'the call');
    await net.pass(800);
    await late;
    answer('late');
    t.equal(await call('echo', 'next'), 'next');
  });

  suite.test('a caller may give up', async (t) => {
    const { link, call } = await linked(t, make);
    const controller = new AbortController();
    const waiting = link.call('never', null, { signal: controller.signal });
    controller.abort();
    await failsWith(t, waiting, 'cancelled', 'while waiting');
    await failsWith(t, link.call('echo', 1, { signal: controller.signal }), 'cancelled', 'before it began');
    const reason = new Failure('changed', 'test', 'the reason of the caller');
    const aborted = link.call('echo', 1, { signal: AbortSignal.abort(reason) });
    await failsWith(t, aborted, 'changed', 'with its reason');
    t.equal(await call('echo', 1), 1, 'the link stands');
  });
}

function takenParts(suite: Test, make: MakeNetwork): void {
  suite.test('each part of a reply is given to the caller as it arrives, who may refuse it', async (t) => {
    const { net, service, link } = await linked(t, make);
    service.handlers['list'] = async function* () {
      try {
        for (let part = 0; part < 1000; part += 1) yield { entries: [part] };
      } finally {
        service.ended += 1;
      }
    };
    const doubled = (part: unknown): unknown => {
      const { entries } = part as { readonly entries: readonly number[] };
      return { entries: entries.map((entry) => entry * 2) };
    };
    const whole = await net.settle(link.call('list', null, { takePart: doubled }));
    t.same(whole, { entries: Array.from({ length: 1000 }, (_, entry) => entry * 2) });
    let taken = 0;
    const refusing = (part: unknown): unknown => {
      if ((taken += 1) === 3) throw new Failure('incompatible', 'test', 'not what was agreed');
      return part;
    };
    await failsWith(
      t,
      net.settle(link.call('list', null, { takePart: refusing })),
      'incompatible',
      'the call',
    );
    await eventually(net, 'both sources have ended', () => service.ended === 2);
    t.equal(taken, 3, 'nothing more is given');
  });
}

function longReplies(suite: Test, make: MakeNetwork): void {
  suite.test('NW-5: a reply in parts arrives as one value', async (t) => {
    const { service, call } = await linked(t, make);
    service.handlers['list'] = async function* () {
      for (let part = 0; part < 20; part += 1) {
        yield { digest: `d${part}`, entries: [part * 2, part * 2 + 1] };
      }
    };
    t.same(await call('list'), { digest: 'd0', entries: Array.from({ length: 40 }, (_, entry) => entry) });
  });

  suite.test('a reply in parts may take its time, but not stop', async (t) => {
    const { net, service, link } = await linked(t, make);
    const steps: (() => void)[] = [];
    service.handlers['slow'] = async function* () {
      for (let part = 0; part < 4; part += 1) {
        yield { entries: [part] };
        await new Promise<void>((resolve) => steps.push(resolve));
      }
    };
    const slow = link.call('slow', null, { timeoutMs: 700 });
    for (let part = 0; part < 4; part += 1) {
      await net.pass(500);
      steps[part]?.();
    }
    t.same(await net.settle(slow), { entries: [0, 1, 2, 3] });
    const stopped = failsWith(t, link.call('slow', null, { timeoutMs: 700 }), 'timeout', 'the call');
    await net.pass(800);
    await stopped;
  });

  suite.test('a reply in parts may fail in the middle', async (t) => {
    const { service, call } = await linked(t, make);
    service.handlers['list'] = async function* () {
      yield { entries: [1] };
      throw new Failure('damaged', 'test', 'the rest is unreadable');
    };
    await failsWith(t, call('list'), 'damaged', 'the call');
  });

  suite.test('who gives up a reply in parts, or loses its link, ends its source', async (t) => {
    const { net, service, link } = await linked(t, make);
    service.handlers['endless'] = async function* () {
      try {
        for (;;) yield { entries: [new Uint8Array(10_000)] };
      } finally {
        service.ended += 1;
      }
    };
    const controller = new AbortController();
    const endless = link.call('endless', null, { signal: controller.signal });
    const givenUp = failsWith(t, endless, 'cancelled', 'given up');
    await net.pass(20);
    controller.abort();
    await givenUp;
    await eventually(net, 'the first source has ended', () => service.ended === 1);
    const lost = failsWith(t, link.call('endless', null), 'unreachable', 'link lost');
    await net.pass(20);
    link.close();
    await lost;
    await eventually(net, 'the second source has ended', () => service.ended === 2);
  });

  suite.test('NW-5: what exceeds a frame is refused, and the link stands', async (t) => {
    const { service, call } = await linked(t, make);
    service.handlers['huge'] = () => new Uint8Array(frameBytes);
    await failsWith(t, call('huge'), 'too-large', 'a reply');
    await failsWith(t, call('echo', new Uint8Array(frameBytes)), 'too-large', 'an argument');
    const most = await call('echo', new Uint8Array(frameBytes - 1000));
    t.equal((most as Uint8Array).length, frameBytes - 1000);
  });
}

function ending(suite: Test, make: MakeNetwork): void {
  suite.test('NW-3: when the server closes the session, all calls fail with unreachable', async (t) => {
    const { net, service, link } = await linked(t, make);
    const calls = [1, 2, 3].map((id) => failsWith(t, link.call('never', id), 'unreachable', `call ${id}`));
    await net.pass(20);
    service.sessions[0]?.close();
    await net.settle(Promise.all([...calls, link.closed]));
    await failsWith(t, link.call('echo', 1), 'unreachable', 'a call after it');
    t.same(service.closedSessions, service.sessions, 'closed once');
  });

  suite.test('NW-3: when the client closes the link, its calls fail and the server is told', async (t) => {
    const { net, service, link } = await linked(t, make);
    const waiting = failsWith(t, link.call('never', null), 'unreachable', 'the call');
    link.close();
    link.close();
    await waiting;
    t.type(await link.closed, 'string');
    await eventually(net, 'the session is closed', () => service.closedSessions.length > 0);
    service.sessions[0]?.close();
    service.sessions[0]?.push('to nobody');
    t.same(service.closedSessions, service.sessions, 'closed once');
  });

  suite.test('a listener that closes ends its sessions and transfers', async (t) => {
    const { net, service, listener, link } = await linked(t, make);
    service.files.set('endless', pattern(1000));
    const source = await net.settle(link.download('endless', 0));
    await net.settle(listener.close());
    await net.settle(link.closed);
    await failsWith(t, net.settle(collect(source)), 'unreachable', 'the transfer');
    t.same(service.closedSessions, service.sessions);
    await eventually(net, 'the source has ended', () => service.ended === 1);
  });
}

function silence(suite: Test, make: MakeNetwork): void {
  suite.test('NW-2: an idle link stands by its beats', async (t) => {
    const { net, service, link, call } = await linked(t, make);
    for (let beats = 0; beats < 30; beats += 1) {
      await net.pass(linkTiming.beatMs);
      t.ok(link.silence() < linkTiming.silenceMs);
    }
    t.equal(await call('echo', 'there'), 'there');
    t.equal(service.closedSessions.length, 0);
  });

  suite.test('NW-2: both ends close a link that has been silent for silenceMs', async (t) => {
    const { net, service, link } = await linked(t, make);
    const waiting = failsWith(t, link.call('never', null), 'unreachable', 'the call');
    let closed = false;
    void link.closed.then(() => (closed = true));
    net.mute();
    await net.pass(linkTiming.silenceMs - linkTiming.beatMs - 100);
    t.notOk(closed, 'not before');
    await net.pass(linkTiming.beatMs + 200);
    t.ok(closed, 'the client');
    t.same(service.closedSessions, service.sessions, 'the server');
    await waiting;
  });
}

function bounds(suite: Test, make: MakeNetwork): void {
  suite.test('the 1,001st call under way is answered with busy', async (t) => {
    const { net, service, link, call } = await linked(t, make);
    let waiting: (() => void)[] = [];
    service.handlers['wait'] = () => new Promise<void>((resolve) => waiting.push(resolve));
    const calls = Array.from({ length: 1000 }, () => link.call('wait', null));
    await eventually(net, 'all are under way', () => waiting.length === 1000);
    await failsWith(t, call('echo', 1), 'busy', 'the 1,001st');
    for (const answer of waiting) answer();
    waiting = [];
    await net.settle(Promise.all(calls));
    t.equal(await call('echo', 1), 1, 'there is room again');
  });

  suite.test('a session whose pushes are not taken is closed', async (t) => {
    const { net, service, link } = await linked(t, make);
    const [session] = service.sessions;
    for (let megabytes = 0; megabytes < 9; megabytes += 1) session?.push(new Uint8Array(1024 * 1024));
    t.same(service.closedSessions, [session]);
    await net.settle(link.closed);
  });
}
