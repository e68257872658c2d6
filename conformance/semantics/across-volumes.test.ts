/**
 * Two volumes on different groups of three servers, on real processes: trees and files move between them, through a
 * davfs2 mount where that can be, while one volume is disconnected and the other is not, and while a server and a
 * gateway are killed. Nothing is lost, nothing is left behind, and all replicas are the same.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import type { VolumeId } from '../../vice/interface/index.js';
import { Davfs2Mount, skipWithoutMounts } from '../clients/davfs2-mount.js';
import { readFolder } from '../crash/folder-reader.js';
import { until } from '../program.js';
import { Realm } from '../realm.js';
import { isConnected, isDrained, statusSchema, type VolumeStatus } from '../volume-status.js';
import { move, read, succeed } from './exchange.js';
import { readReplica, replicaDifferences } from './replica-reader.js';

t.setTimeout(900_000);

const made = z.object({ id: z.string() });
const files = 24;

const textOf = (index: number): string => `file ${index}\n`.repeat(index % 6 === 0 ? 30_000 : 2);
const nameOf = (index: number): string => `${index % 2 === 0 ? 'deep/' : ''}file ${index}.txt`;

class Story {
  readonly realm: Realm;

  constructor(realm: Realm) {
    this.realm = realm;
  }

  async coda(...order: readonly string[]): Promise<unknown> {
    const { code, stdout, output } = await this.realm.coda(...order, '--json');
    if (code !== 0) throw new Error(`coda ${order.join(' ')}: ${output}\n${await this.realm.logs()}`);
    return JSON.parse(stdout);
  }

  /** Waits until the gateways' views of volumes are as wanted. */
  async until(
    what: string,
    wanted: (volume: VolumeStatus) => boolean,
    names: readonly string[] = ['root', 'drawings'],
    gateways: readonly string[] = ['g1', 'g2'],
  ): Promise<void> {
    let seen = '';
    const ask = async (): Promise<true | undefined> => {
      seen = (await this.realm.coda('status', '--json')).stdout;
      const status = statusSchema.parse(JSON.parse(seen));
      const volumes = status.gateways
        .filter(({ name }) => gateways.includes(name))
        .flatMap((gateway) => gateway.volumes.filter(({ name }) => names.includes(name)));
      return volumes.length === names.length * gateways.length && volumes.every(wanted) ? true : undefined;
    };
    try {
      await until(what, 120_000, ask, 500);
    } catch (cause) {
      throw new Error(`last seen: ${seen}\n${await this.realm.logs()}`, { cause });
    }
  }

  /** Every file is below `folder`, as both gateways see it. */
  async areAt(folder: string, gateways: readonly string[] = ['g1', 'g2']): Promise<void> {
    for (const gateway of gateways) {
      for (let index = 0; index < files; index += 1) {
        const found = await read(this.realm.client(gateway), `${folder}/${nameOf(index)}`);
        if (found === textOf(index)) continue;
        throw new Error(`${gateway}: ${folder}/${nameOf(index)}: ${String(found).slice(0, 50)}`);
      }
    }
  }

  /** Paths of all that a gateway shows; none while what is listed goes. */
  async paths(gateway: string): Promise<readonly string[] | undefined> {
    const found = await readFolder(this.realm.client(gateway), '').catch(() => undefined);
    return found && [...found.keys()].sort();
  }

  /** How the replicas of a volume at two servers differ, whose processes must not run. */
  async differences(one: string, other: string, volume?: VolumeId): Promise<readonly string[]> {
    const [left, right] = [
      await readReplica(this.realm.data, one, volume),
      await readReplica(this.realm.data, other, volume),
    ];
    return left.length > 1 ? replicaDifferences(left, right) : [`${one} has nothing`];
  }

  /** What is brought up to date in the background may need a moment: it is looked a few times. */
  async replicasDiffer(drawings: VolumeId): Promise<readonly string[]> {
    const servers = ['s1', 's2', 's3'];
    for (let look = 1; ; look += 1) {
      for (const name of servers) await this.coda('servers', 'stop', name);
      const found = [
        ...(await this.differences('s1', 's2')),
        ...(await this.differences('s2', 's3', drawings)),
      ];
      if (found.length === 0 || look === 4) return found;
      for (const name of servers) await this.coda('servers', 'start', name);
      await this.until('all to be back', isDrained);
      await this.paths('g2');
    }
  }
}

/** How the first gateway's user moves things. */
async function mover(t: Tap, realm: Realm): Promise<(from: string, to: string) => Promise<void>> {
  const reason = skipWithoutMounts();
  if (reason !== false) {
    t.comment(`${reason}; the first gateway is written to by HTTP`);
    return (from, to) => move(realm.client('g1'), from, to);
  }
  const mount = await Davfs2Mount.mount(realm.ready);
  t.teardown(() => mount.drop());
  return (from, to) => rename(join(mount.folder, from), join(mount.folder, to));
}

type Tap = Pick<typeof t, 'comment' | 'teardown'>;

t.test('trees and files move between volumes, whoever dies', async (t) => {
  const realm = await Realm.start({ servers: 3, gateways: 2 });
  t.teardown(() => realm.stop());
  const story = new Story(realm);
  await story.coda('volume', 'replica', 'remove', 'root', 's3');
  const order = [
    'volume',
    'create',
    'drawings',
    '--servers',
    's2,s3',
    '--mount',
    '/drawings',
    '--gateway',
    'g1',
  ];
  const drawings = made.parse(await story.coda(...order)).id as VolumeId;
  await story.until('two volumes', isConnected);
  const [g1, g2] = [realm.client('g1'), realm.client('g2')];
  for (const folder of ['/plans', '/plans/deep']) await succeed(g2, 'MKCOL', folder);
  for (let index = 0; index < files; index += 1) {
    await succeed(g2, 'PUT', `/plans/${nameOf(index)}`, textOf(index));
  }
  await story.areAt('/plans');
  // What has never been read cannot be changed while no server of it is reached.
  await story.paths('g1');
  const moves = await mover(t, realm);

  t.comment('the target is disconnected, the source is not');
  for (const name of ['s2', 's3']) await story.coda('servers', 'stop', name);
  await story.until('drawings to be cut off', ({ avsg }) => avsg.length === 0, ['drawings']);
  await moves('/plans', '/drawings/plans');
  await story.areAt('/drawings/plans', ['g1']);
  t.equal(await read(g2, `/plans/${nameOf(1)}`), 404, 'the original has gone at the servers of the source');
  await realm.restarted('g1', await realm.kill('g1'));
  await story.areAt('/drawings/plans', ['g1']);
  for (const name of ['s2', 's3']) await story.coda('servers', 'start', name);
  await story.until('all to be sent', isDrained);
  await story.areAt('/drawings/plans');

  t.comment('a server of both dies in the middle');
  const dying = moves('/drawings/plans', '/back');
  const killed = await realm.kill('s2');
  await dying;
  await realm.restarted('s2', killed);
  await story.until('s2 to be back, and all to be sent', isDrained);
  await story.areAt('/back');

  t.comment('the gateway dies in the middle');
  // Nobody hears the answer; where it stands, the tree is whole, and what was left goes.
  const unheard = move(g1, '/back', '/drawings/again').catch(() => undefined);
  await until(
    'the copy to have begun',
    30_000,
    async () => {
      const { status, body } = await g2.request('PROPFIND', '/drawings/', { headers: { depth: '1' } });
      return status === 207 && /\/\.moving-|again/.test(String(body)) ? true : undefined;
    },
    5,
  );
  await realm.restarted('g1', await realm.kill('g1'));
  await unheard;
  await story.until('all to be sent', isDrained);
  const clean = await until(
    'what was left behind to go',
    120_000,
    async () => {
      const paths = await story.paths('g2');
      return paths === undefined || paths.some((path) => /\.mov(ing|ed)-/.test(path)) ? undefined : paths;
    },
    500,
  );
  const whole = clean.some((path) => path.startsWith('drawings/again')) ? '/drawings/again' : '/back';
  await story.areAt(whole);
  await move(g1, `${whole}/${nameOf(3)}`, '/drawings/one');
  t.equal(await read(g2, '/drawings/one'), textOf(3), 'a single file');

  await story.until('all to be sent', isDrained);
  t.same(await story.replicasDiffer(drawings), []);
});
