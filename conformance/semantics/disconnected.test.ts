/**
 * Disconnected operation on real processes: all servers are killed, frozen (sockets stay open and silent), or
 * cut off by a pulled cable, while a script works on a mount.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Davfs2Mount, skipWithoutMounts } from '../clients/davfs2-mount.js';
import { Stopwatch } from '../clients/stopwatch.js';
import { CableStage } from './cable-stage.js';
import { tellOutage } from './outage-story.js';
import { skipWithoutNetworks } from './separate-network.js';
import { RealmStage, type Stage } from './stage.js';

t.setTimeout(1_500_000);

async function outage(t: Test, name: string, open: () => Promise<Stage>): Promise<void> {
  const expected = await mkdtemp(join(tmpdir(), 'coda-semantics-'));
  const stage = await open();
  const mounted: Davfs2Mount[] = [];
  t.teardown(async () => {
    for (const mount of mounted) await mount.drop();
    await stage.close();
    await rm(expected, { recursive: true, force: true });
  });
  const mount = async (): Promise<Davfs2Mount> => {
    const made = await Davfs2Mount.mount(stage.share);
    mounted.push(made);
    return made;
  };
  const watch = new Stopwatch((text) => t.comment(`${name}: ${text}`));
  await tellOutage(t, stage, { mount }, expected, watch);
}

const noMounts = skipWithoutMounts();

t.test('all servers are killed while a script works on a mount', { skip: noMounts }, (t) =>
  outage(t, 'killed', () => RealmStage.open('killed')),
);

t.test('all servers fall silent while a script works on a mount', { skip: noMounts }, (t) =>
  outage(t, 'frozen', () => RealmStage.open('frozen')),
);

const noNetworks = noMounts === false ? await skipWithoutNetworks() : noMounts;

t.test('the cable to all servers is pulled out under a script', { skip: noNetworks }, (t) =>
  outage(t, 'cable', () => CableStage.open()),
);
