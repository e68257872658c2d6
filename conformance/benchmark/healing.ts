/** What it costs until replicas that were apart are the same again: beside the work done, and by their size. */
import { randomBytes } from 'node:crypto';
import { until } from '../program.js';
import { DirectServers } from './direct-servers.js';
import { callsBetween, DrivenRealm, total, type Calls } from './driven-realm.js';
import { fileName, folderName, VolumeFiller } from './filling.js';
import { changesPerFolder, workInOffice } from './office-day.js';
import { secondsSince } from './replay.js';
import { say, shown, type Row, type Table } from './report.js';

export interface HealingScale {
  /** Folders that are worked in on each side. */
  readonly officeFolders: number;
  /** Objects of the volume in which one is changed, smallest first. */
  readonly volumeObjects: readonly number[];
}

interface Worked {
  readonly seconds: number;
  readonly processorSeconds: number;
}

const startWithinMs = 120_000;
const looksForCost = 20;

export async function healing(scale: HealingScale): Promise<Table[]> {
  return [await besideWork(scale), await bySize(scale)];
}

/**
 * One side: a server is cut off while people work, and comes back. Both sides: others work with it meanwhile, while all
 * other servers are cut off. What the gateways have not sent to all servers yet is not sent before the replicas are the
 * same: only servers heal here.
 */
async function besideWork({ officeFolders }: HealingScale): Promise<Table> {
  const realm = await DrivenRealm.start(3, 2);
  const servers = await DirectServers.of(realm.realm.data);
  try {
    const [last = ''] = servers.names.slice(-1);
    const others = servers.names.slice(0, -1);
    const office = new Office(realm, servers, officeFolders);
    // What a process does for the first time takes longer: so once for nothing.
    await office.apart(Math.ceil(officeFolders / 5), 'warm', last, others);
    const oneSide = await office.oneSide('one-side', last, others);
    const bothSides = await office.apart(officeFolders, 'both-sides', last, others);
    return {
      title:
        `${officeFolders * changesPerFolder} changes on a side while replicas are apart, one after another and ` +
        'without thinking, and resolution until they are the same, in brackets its share of the work ' +
        '(1993: less than 0.10)',
      columns: ['work', 'resolution'],
      base: 'work',
      rows: [...besideRows('one side', oneSide), ...besideRows('both sides', bothSides)],
    };
  } finally {
    servers.close();
    await realm.stop();
  }
}

interface Apart {
  readonly work: Worked;
  readonly resolution: Worked;
}

class Office {
  readonly #realm: DrivenRealm;
  readonly #servers: DirectServers;
  readonly #folders: number;

  constructor(realm: DrivenRealm, servers: DirectServers, folders: number) {
    this.#realm = realm;
    this.#servers = servers;
    this.#folders = folders;
  }

  async oneSide(name: string, last: string, others: readonly string[]): Promise<Apart> {
    await this.#realm.connected('g1');
    await this.#realm.disconnect('g2');
    await this.#realm.cutOff([last]);
    const work = await this.#work('g1', name, others, this.#folders);
    await this.#realm.disconnect('g1');
    return { work, resolution: await this.#heal([last]) };
  }

  async apart(folders: number, name: string, last: string, others: readonly string[]): Promise<Apart> {
    await this.#realm.reconnect('g1');
    await this.#realm.connected('g1');
    await this.#realm.disconnect('g2');
    await this.#realm.cutOff([last]);
    const here = await this.#work('g1', `${name}-here`, others, folders);
    await this.#realm.disconnect('g1');
    await this.#realm.cutOff(others);
    this.#realm.letBack([last]);
    await this.#realm.reconnect('g2');
    const there = await this.#work('g2', `${name}-there`, [last], folders);
    await this.#realm.disconnect('g2');
    const resolution = await this.#heal(others);
    await this.#realm.reconnect('g1');
    return { work: sum(here, there), resolution };
  }

  /** Work at `gateway`, whose changes go to `reached`. */
  async #work(gateway: string, name: string, reached: readonly string[], folders: number): Promise<Worked> {
    await this.#realm.connected(gateway, reached);
    const client = this.#realm.realm.client(gateway);
    const before = await this.#processorSeconds();
    const started = performance.now();
    await workInOffice(client, name, folders);
    const seconds = secondsSince(started);
    await client.close();
    await this.#realm.quiet(reached);
    const processorSeconds = (await this.#processorSeconds()) - before;
    say(`${name}: worked ${shown(seconds)} s, ${shown(processorSeconds)} s of the servers' processors`);
    return { seconds, processorSeconds };
  }

  /** From the moment that `missing` go on until all replicas are the same. */
  async #heal(missing: readonly string[]): Promise<Worked> {
    const begun = await this.#processorSeconds();
    const started = performance.now();
    this.#realm.letBack(missing);
    const looks = await this.#servers.same();
    const seconds = secondsSince(started);
    const used = (await this.#processorSeconds()) - begun;
    const looking = looks * (await this.#costOfLook());
    say(
      `the same again after ${shown(seconds)} s, ${shown(used)} s of the processors, of which ${shown(looking)} s ` +
        'went into being asked whether they are',
    );
    return { seconds, processorSeconds: Math.max(0, used - looking) };
  }

  /** Processor seconds of the question whether the replicas are the same. */
  async #costOfLook(): Promise<number> {
    const before = await this.#processorSeconds();
    for (let count = 0; count < looksForCost; count += 1) await this.#servers.same();
    return ((await this.#processorSeconds()) - before) / looksForCost;
  }

  async #processorSeconds(): Promise<number> {
    let used = 0;
    for (const seconds of (await this.#realm.processorSeconds()).values()) used += seconds;
    return used;
  }
}

async function answering(realm: DrivenRealm, names: readonly string[]): Promise<void> {
  for (const { name, url } of realm.realm.ready.servers) {
    if (!names.includes(name)) continue;
    await until(
      `${name} to answer`,
      startWithinMs,
      async () => {
        const reply = await fetch(new URL('/healthz', url)).catch(() => undefined);
        return reply?.ok === true ? true : undefined;
      },
      10,
    );
  }
}

function sum(one: Worked, other: Worked): Worked {
  return {
    seconds: one.seconds + other.seconds,
    processorSeconds: one.processorSeconds + other.processorSeconds,
  };
}

function besideRows(what: string, { work, resolution }: Apart): Row[] {
  const row = (part: string, key: keyof Worked): Row => {
    return { what: `${what}: ${part}`, unit: 's', figures: { work: work[key], resolution: resolution[key] } };
  };
  return [row('time', 'seconds'), row('processor time of all servers', 'processorSeconds')];
}

/** One file is changed while a server is away, in a volume that is larger and larger. */
async function bySize({ volumeObjects }: HealingScale): Promise<Table> {
  const realm = await DrivenRealm.start(3);
  const servers = await DirectServers.of(realm.realm.data);
  const columns: string[] = [];
  const figures: Record<'start' | 'heal' | 'processor' | 'calls', Record<string, number>> = {
    start: {},
    heal: {},
    processor: {},
    calls: {},
  };
  try {
    const filler = new VolumeFiller(servers);
    for (const objects of volumeObjects) {
      const started = performance.now();
      await filler.fillTo(objects);
      say(`${filler.objects} objects made in ${shown(secondsSince(started))} s`);
      const column = `${filler.objects.toLocaleString('en')} objects`;
      columns.push(column);
      const healed = await healOne(realm, servers);
      figures.start[column] = healed.startSeconds;
      figures.heal[column] = healed.seconds;
      figures.processor[column] = healed.processorSeconds;
      figures.calls[column] = total(healed.calls);
      say(`healed in ${shown(healed.seconds)} s; calls: ${inWords(healed.calls)}`);
    }
  } finally {
    servers.close();
    await realm.stop();
  }
  const row = (what: string, unit: string, key: keyof typeof figures): Row => ({
    what,
    unit,
    figures: figures[key],
  });
  return {
    title: `One file of a volume changed while a server was away, in brackets the ratio to ${columns[0] ?? ''}`,
    columns,
    ...(columns[0] !== undefined && { base: columns[0] }),
    rows: [
      row('from the start of the server to its first answer', 's', 'start'),
      row('from there until the replicas are the same', 's', 'heal'),
      row('processor time of all servers meanwhile', 's', 'processor'),
      row('calls between servers', 'calls', 'calls'),
    ],
  };
}

interface Healed extends Worked {
  readonly startSeconds: number;
  readonly calls: Calls;
}

async function healOne(realm: DrivenRealm, servers: DirectServers): Promise<Healed> {
  const [last = ''] = servers.names.slice(-1);
  const others = servers.names.slice(0, -1);
  await servers.same();
  await servers.settle();
  await realm.stopServers([last]);
  const client = realm.realm.client();
  const path = `/${folderName(7)}/${fileName(7)}`;
  const { status } = await client.request('PUT', path, { body: randomBytes(4096) });
  await client.close();
  if (status >= 300) throw new Error(`PUT ${path} answered ${status}`);
  await realm.quiet(others);
  await realm.disconnect();
  const before = await realm.calls(others);
  const cpu = async (): Promise<number> =>
    [...(await realm.processorSeconds()).values()].reduce((a, b) => a + b, 0);
  servers.asked.clear();
  const ordered = performance.now();
  await realm.startServers([last]);
  await answering(realm, [last]);
  const startSeconds = secondsSince(ordered);
  const [begun, started] = [await cpu(), performance.now()];
  await servers.same();
  const seconds = secondsSince(started);
  const processorSeconds = (await cpu()) - begun;
  const asked = new Map(servers.asked);
  const calls = callsBetween(before, await realm.quiet());
  await realm.reconnect();
  await realm.connected();
  return { startSeconds, seconds, processorSeconds, calls: without(calls, asked) };
}

/** Without the questions whether the replicas are the same. */
function without(calls: Calls, asked: ReadonlyMap<string, number>): Calls {
  return new Map(
    [...calls].map(([server, counts]) => {
      const digests = (counts.get('digests') ?? 0) - (asked.get(server) ?? 0);
      return [server, new Map([...counts, ['digests', digests] as const])];
    }),
  );
}

function inWords(calls: Calls): string {
  const parts = [...calls].map(([server, counts]) => {
    return `${server} ${[...counts].map(([name, count]) => `${count} ${name}`).join(' ')}`;
  });
  return parts.join(', ');
}
