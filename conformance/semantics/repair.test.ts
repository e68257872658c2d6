/**
 * A conflict as people meet it: through a davfs2 mount and through rclone they see both versions, and repair by what
 * they do anyway, deleting and moving; the other gateway shows the result.
 */
import { mkdtemp, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Davfs2Mount, skipWithoutMounts } from '../clients/davfs2-mount.js';
import { run, skipWithout, until } from '../program.js';
import { read, succeed } from './exchange.js';
import { RealmStage, untilDrained, untilVolume } from './stage.js';

t.setTimeout(600_000);

/** What a person does with a folder of a share, by some program. */
interface Hands {
  names(): Promise<readonly string[]>;
  read(name: string): Promise<string>;
  remove(name: string): Promise<void>;
  move(from: string, to: string): Promise<void>;
}

t.test('with davfs2', { skip: skipWithoutMounts() }, async (t) => {
  await tellRepair(t, async (stage) => {
    const mount = await Davfs2Mount.mount(stage.share);
    t.teardown(() => mount.drop());
    const at = (name: string): string => join(mount.folder, 'letters', name);
    return {
      names: () => readdir(at('')),
      read: async (name) => (await readFile(at(name))).toString(),
      remove: (name) => unlink(at(name)),
      move: (from, to) => rename(at(from), at(to)),
    };
  });
});

t.test('with rclone', { skip: skipWithout('rclone') }, async (t) => {
  await tellRepair(t, async (stage) => {
    const folder = await mkdtemp(join(tmpdir(), 'coda-repair-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const { url, user, password } = stage.share;
    const env = {
      RCLONE_CONFIG: join(folder, 'rclone.conf'),
      RCLONE_CONFIG_SHARE_TYPE: 'webdav',
      RCLONE_CONFIG_SHARE_VENDOR: 'other',
      RCLONE_CONFIG_SHARE_URL: url,
      RCLONE_CONFIG_SHARE_USER: user,
      RCLONE_CONFIG_SHARE_PASS: (await run('rclone', ['obscure', password])).stdout.trim(),
    };
    const rclone = async (...args: string[]): Promise<string> => {
      const { code, stdout, output } = await run('rclone', args, { env, timeoutMs: 60_000 });
      if (code !== 0) throw new Error(`rclone ${args.join(' ')}: ${output}`);
      return stdout;
    };
    const at = (name: string): string => `share:letters/${name}`;
    return {
      names: async () => (await rclone('lsf', at(''))).trim().split('\n'),
      read: (name) => rclone('cat', at(name)),
      remove: async (name) => void (await rclone('deletefile', at(name))),
      move: async (from, to) => void (await rclone('moveto', at(from), at(to))),
    };
  });
});

async function tellRepair(t: Test, open: (stage: RealmStage) => Promise<Hands>): Promise<void> {
  const stage = await RealmStage.open();
  t.teardown(() => stage.close());
  const [g1, g2] = [stage.client('g1'), stage.client('g2')];
  await succeed(g1, 'MKCOL', '/letters');
  const files = ['to delete.txt', 'to move.txt'];
  for (const name of files) await succeed(g1, 'PUT', `/letters/${name}`, 'before');
  await until('g2 to show them', 60_000, async () => {
    const texts = await Promise.all(files.map((name) => read(g2, `/letters/${name}`)));
    return texts.every((text) => text === 'before') ? true : undefined;
  });
  await stage.coda('disconnect', '--gateway', 'g1');
  await untilVolume(stage, 'g1', 'that it is disconnected', ({ avsg }) => avsg.length === 0);
  // Not of one length: by nothing else could rclone tell them apart here.
  for (const name of files) await succeed(g1, 'PUT', `/letters/${name}`, 'by g1, longer');
  for (const name of files) await succeed(g2, 'PUT', `/letters/${name}`, 'by g2');
  await stage.coda('reconnect', '--gateway', 'g1');
  await untilDrained(stage);

  const hands = await open(stage);
  const four = await until('the mount to show all versions', 60_000, async () => {
    const names = await hands.names();
    return names.length === 4 ? names : undefined;
  });
  const siblingOf = (name: string): string => {
    const stem = name.replace('.txt', ' (conflict ');
    const sibling = four.find((other) => other.startsWith(stem) && other.endsWith('.txt'));
    if (sibling === undefined) throw new Error(`no version beside ${name}: ${four.join(', ')}`);
    return sibling;
  };
  for (const name of files) {
    t.equal(await hands.read(name), 'by g2', `${name} shows what was saved last`);
    t.equal(await hands.read(siblingOf(name)), 'by g1, longer', 'the other version opens, too');
  }
  await hands.remove(siblingOf('to delete.txt'));
  await hands.move(siblingOf('to move.txt'), 'to move.txt');
  await until('both gateways to show two files', 60_000, async () => {
    const counts = await Promise.all([g1, g2].map(async (client) => (await client.list('/letters/')).length));
    return counts.every((count) => count === 2) ? true : undefined;
  });
  for (const client of [g1, g2]) {
    t.equal(await read(client, '/letters/to delete.txt'), 'by g2');
    t.equal(await read(client, '/letters/to move.txt'), 'by g1, longer');
  }
  t.equal(
    (await stage.coda('conflicts', '--json', '--gateway', 'g2')).trim(),
    '[]',
    'nothing is left to decide',
  );
}
