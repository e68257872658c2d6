/**
 * The laboratory itself: a power cut takes what was not flushed, and nothing else; so a product that forgets to flush
 * is found by the same writers and the same judge.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { containerLengths, mixedLengths } from '../crash/generator.js';
import { scaled } from '../test-scale.js';
import { Administrator } from './administrator.js';
import { Cable, skipWithoutMachine } from './cable.js';
import { Laboratory } from './laboratory.js';
import { Machine, makeDisk } from './machine.js';
import { mounts, Trial } from './trial.js';

t.setTimeout(30 * 60_000);

const skip = await skipWithoutMachine();
/** Makes fsync, fdatasync and O_SYNC do nothing. */
const deaf = ['x86_64', 'aarch64']
  .map((architecture) => `/usr/lib/${architecture}-linux-gnu/libeatmydata.so`)
  .find((path) => existsSync(path));

for (const mount of mounts.slice(0, scaled(mounts.length, 1))) {
  void t.test(`a cut takes what was not flushed, and only that (${mount})`, { skip }, async (t) => {
    const base = await mkdtemp(join(tmpdir(), 'coda-power-'));
    const cable = await Cable.lay();
    t.teardown(async () => {
      await cable.remove();
      await rm(base, { recursive: true, force: true });
    });
    const folder = join(base, 'machine');
    const mountedAt = join(base, 'disk');
    await mkdir(folder);
    await mkdir(mountedAt);
    const disk = join(base, 'image');
    await makeDisk(disk, 64);
    const shell = async (text: string): Promise<string> => {
      const program = ['sh', '-ec', `cd ${mountedAt}; ${text}`];
      return String(await machine.order({ order: 'run', program }));
    };
    let machine = await Machine.boot({ cable, folder, disk, mountedAt });
    t.teardown(() => machine.cutPower());
    const before = await bytesInto(cable);
    await machine.order({ order: 'volume', names: ['x'.repeat(1_000_000)] });
    t.ok((await bytesInto(cable)) - before < 1_200_000, 'the cable carries each byte once');
    await machine.mount(mount);
    await shell('echo old > removed; echo old > moved; sync');
    await shell('head -c 100000 /dev/urandom > flushed; sync flushed .');
    await shell('head -c 100000 /dev/urandom > forgotten; rm removed; mv moved elsewhere');
    t.equal(await shell('wc -c < forgotten'), '100000\n', 'whoever is inside sees all of it');
    await machine.cutPower();
    machine = await Machine.boot({ cable, folder, disk, mountedAt });
    await machine.mount(mount);
    t.equal(await shell('wc -c < flushed'), '100000\n', 'what was flushed stays');
    t.equal(await shell('if [ -s forgotten ]; then cat forgotten; fi'), '', 'what was written only is lost');
    t.equal(await shell('cat removed moved'), 'old\nold\n', 'what was removed or moved is back');
    t.equal(await shell('ls elsewhere 2>/dev/null || true'), '', 'and only there');
    await machine.cutPower();
  });
}

async function bytesInto({ name }: Cable): Promise<number> {
  return Number(await readFile(`/sys/class/net/${name}/statistics/tx_bytes`, 'utf8'));
}

interface Plant {
  readonly name: string;
  readonly skip: string | boolean;
  readonly preload?: string;
  readonly forget?: boolean;
  readonly servers: boolean;
}

const noDeaf = skip === false && deaf === undefined ? 'libeatmydata1 is not installed' : skip;
if (noDeaf !== false && deaf === undefined && process.env['CI'] === 'true') throw new Error(String(noDeaf));
const preload = deaf ?? '';

const plants: readonly Plant[] = [
  { name: 'a realm that never flushes', skip: noDeaf, preload, servers: true },
  { name: 'a gateway alone that flushes metadata but no contents', skip, forget: true, servers: false },
  { name: 'a gateway alone that never flushes', skip: noDeaf, preload, servers: false },
  { name: 'a realm that flushes metadata but no contents', skip, forget: true, servers: true },
];

for (const { name, skip, preload, forget, servers } of plants.slice(0, scaled(plants.length, 2))) {
  void t.test(`the laboratory finds ${name}`, { skip }, async (t) => {
    const laboratory = await Laboratory.open();
    // Contents of a few kilobytes are rows among the records, which are flushed: only containers can be forgotten.
    const trial = new Trial(laboratory, 1, forget === true ? containerLengths : mixedLengths);
    t.teardown(async () => {
      await laboratory.cutPower();
      await trial.end();
      await laboratory.close();
    });
    await laboratory.boot({ mount: 'defaults', ...(preload !== undefined && { preload }) });
    laboratory.standBy();
    if (forget === true) await laboratory.order({ order: 'forget' });
    await laboratory.startServers();
    await laboratory.startGateway();
    await trial.connected();
    if (!servers) await laboratory.stopServers();
    await trial.workAndCut(60);
    t.same(trial.faults, [], 'before the cut nobody sees it');
    await laboratory.boot({ mount: 'defaults' });
    if (servers) await laboratory.startServers();
    await laboratory.startGateway();
    if (servers) await trial.connected();
    t.not((await trial.judgeAll(1)).length, 0, 'after the cut the judge does');
  });
}

void t.test(
  'the laboratory finds that the work of an administrator is not flushed',
  { skip: noDeaf },
  async (t) => {
    const laboratory = await Laboratory.open();
    const trial = new Trial(laboratory, 1);
    const administrator = new Administrator(laboratory, trial.writers);
    t.teardown(async () => {
      await laboratory.cutPower();
      await trial.end();
      await laboratory.close();
    });
    await laboratory.boot({ mount: 'defaults', preload });
    laboratory.standBy();
    await laboratory.startServers();
    await laboratory.startGateway();
    await trial.connected();
    await administrator.begin('snapshot');
    await administrator.begin('key');
    t.same(await administrator.judge(), [], 'before the cut nobody sees it');
    await laboratory.cutPower();
    await laboratory.boot({ mount: 'defaults' });
    await laboratory.startServers();
    await laboratory.startGateway();
    t.match(await administrator.judge(), [/^the keys are/, /snapshot cut-1/], 'after the cut the judge does');
  },
);
