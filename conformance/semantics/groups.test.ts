/**
 * A volume's group grows from one server to three, moves, and shrinks to one, on real processes, while two gateways
 * write, one of them disconnected for a while: no client sees an error, nothing is lost, all replicas are the same.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { z } from 'zod';
import { Davfs2Mount, skipWithoutMounts } from '../clients/davfs2-mount.js';
import { until } from '../program.js';
import { Realm } from '../realm.js';
import { isDrained, statusSchema } from '../volume-status.js';
import { read, succeed } from './exchange.js';
import { readReplica, replicaDifferences } from './replica-reader.js';

t.setTimeout(900_000);

const outcomeSchema = z.object({
  changed: z.boolean(),
  replicas: z.array(z.object({ id: z.string(), server: z.string(), state: z.string().optional() })),
});
const infoSchema = z.object({
  replicas: z.array(z.object({ server: z.string(), state: z.string(), objects: z.number().nullable() })),
});

const filesEach = 8;

/** Saves files again and again, until `stop`; keeps what was saved last, and every error. */
class Writer {
  readonly saved = new Map<string, string>();
  readonly errors: string[] = [];
  readonly #name: string;
  readonly #save: (path: string, text: string) => Promise<void>;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();

  constructor(name: string, save: (path: string, text: string) => Promise<void>) {
    this.#name = name;
    this.#save = save;
  }

  start(): void {
    this.#stopped = false;
    this.#done = this.#write();
  }

  async pause(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #write(): Promise<void> {
    for (let count = this.saved.size; !this.#stopped; count += 1) {
      const path = `/${this.#name}/file ${count % filesEach}.txt`;
      const text = `${this.#name} ${count}\n`.repeat(count % 5 === 0 ? 20_000 : 3);
      try {
        await this.#save(path, text);
        this.saved.set(path, text);
      } catch (error) {
        this.errors.push(`${path}: ${String(error)}`);
      }
      await delay(20);
    }
  }
}

t.test('a group grows, moves and shrinks under two gateways', async (t) => {
  const realm = await Realm.start({ servers: 1, gateways: 2 });
  t.teardown(() => realm.stop());
  const coda = async (...order: readonly string[]): Promise<unknown> => {
    const { code, stdout, output } = await realm.coda(...order, '--json');
    if (code !== 0) throw new Error(`coda ${order.join(' ')}: ${output}\n${await realm.logs()}`);
    return JSON.parse(stdout);
  };
  const replica = async (...order: readonly string[]): Promise<string> => {
    const { replicas } = outcomeSchema.parse(await coda('volume', 'replica', ...order));
    return replicas
      .map(({ server, state }) => `${server}${state === undefined ? '' : ` ${state}`}`)
      .join(', ');
  };
  const [g1, g2] = [realm.client('g1'), realm.client('g2')];

  await succeed(g2, 'MKCOL', '/g2');
  const folder = await mounted(t, realm);
  const first = new Writer('g1', (path, text) => {
    return folder === undefined ? succeed(g1, 'PUT', path, text) : writeFile(join(folder, path), text);
  });
  if (folder === undefined) await succeed(g1, 'MKCOL', '/g1');
  else await mkdir(join(folder, 'g1'));
  const second = new Writer('g2', (path, text) => succeed(g2, 'PUT', path, text));
  const writers = [first, second];
  for (const writer of writers) writer.start();

  for (const name of ['s2', 's3', 's4']) await coda('server', 'add', name);
  t.equal(await replica('add', 'root', 's2'), 's1, s2');
  await coda('disconnect', '--gateway', 'g2');
  t.equal(await replica('add', 'root', 's3'), 's1, s2, s3');
  t.equal(await replica('move', 'root', 's1', 's4'), 's2, s3, s4');
  await coda('server', 'remove', 's1').then(
    () => t.fail('the publisher has not gone'),
    (error: unknown) => t.match(String(error), /publishes the realm document/),
  );
  await coda('server', 'publisher', 's2');
  await coda('server', 'remove', 's1');
  await coda('reconnect', '--gateway', 'g2');

  // All three are the same, once all has been sent.
  for (const writer of writers) await writer.pause();
  await drained(realm, 3);
  const { replicas } = infoSchema.parse(await coda('volume', 'info', 'root'));
  t.same(new Set(replicas.map(({ objects }) => objects)).size, 1, JSON.stringify(replicas));
  const names = ['s2', 's3', 's4'];
  for (const name of names) await coda('servers', 'stop', name);
  const [one = [], ...others] = await Promise.all(names.map((name) => readReplica(realm.data, name)));
  for (const other of others) t.same(replicaDifferences(one, other), []);
  for (const name of names) await coda('servers', 'start', name);
  await drained(realm, 3);
  for (const writer of writers) writer.start();

  t.equal(await replica('remove', 'root', 's2'), 's3, s4');
  t.equal(await replica('remove', 'root', 's3'), 's4');
  t.match((await realm.coda('volume', 'replica', 'remove', 'root', 's4')).output, /last complete replica/);
  t.equal(await replica('remove', 'root', 's3'), 's4', 'said again');
  for (const writer of writers) await writer.pause();
  await drained(realm, 1);

  for (const { errors, saved } of writers) {
    t.same(errors, [], 'no client has seen an error');
    t.equal(saved.size, filesEach);
    for (const [path, text] of saved) {
      for (const client of [g1, g2]) t.equal(await read(client, path), text, path);
    }
  }
});

/** A mount of the first gateway, where that can be. */
async function mounted(t: Tap, realm: Realm): Promise<string | undefined> {
  const reason = skipWithoutMounts();
  if (reason !== false) {
    t.comment(`${reason}; the first gateway is written to by HTTP`);
    return undefined;
  }
  const mount = await Davfs2Mount.mount(realm.ready);
  t.teardown(() => mount.drop());
  return mount.folder;
}

type Tap = Pick<typeof t, 'comment' | 'teardown'>;

/** Both gateways reach all of `size` servers, and nothing waits to be sent. */
async function drained(realm: Realm, size: number): Promise<void> {
  let seen = '';
  const ask = async (): Promise<true | undefined> => {
    seen = (await realm.coda('status', '--json')).stdout;
    const { gateways } = statusSchema.parse(JSON.parse(seen));
    const volumes = gateways.flatMap((gateway) => gateway.volumes);
    return volumes.length === 2 && volumes.every((each) => isDrained(each) && each.vsg.length === size)
      ? true
      : undefined;
  };
  try {
    await until(`both gateways to have sent all to ${size} servers`, 120_000, ask, 500);
  } catch (cause) {
    throw new Error(`last seen: ${seen}\n${await realm.logs()}`, { cause });
  }
}
