/**
 * A byte flips on the disk of a running server, as disks do it: `coda scrub --wait` heals it from the others. It
 * flips on all three: nothing can, so it is listed with its path, until somebody saves the file again.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { Realm } from '../realm.js';
import { read, succeed } from './exchange.js';

t.setTimeout(300_000);

const servers = ['s1', 's2', 's3'] as const;
const scrubSchema = z.object({
  servers: z.array(
    z.object({
      server: z.string(),
      scrub: z.object({
        running: z.boolean(),
        healed: z.number(),
        open: z.number(),
        findings: z.array(z.object({ path: z.string().nullable(), fault: z.string(), advice: z.string() })),
      }),
    }),
  ),
});
type Scrub = z.infer<typeof scrubSchema>['servers'][number]['scrub'];

const realm = await Realm.start({ servers: servers.length });
t.teardown(() => realm.stop());

/** The files of the containers of a server. */
async function containerFiles(server: string): Promise<string[]> {
  const folder = join(realm.data, 'servers', server, 'containers');
  const prefixes = (await readdir(folder)).filter((name) => /^[0-9a-f]{2}$/.test(name));
  const files = await Promise.all(
    prefixes.map(async (prefix) => {
      const names = await readdir(join(folder, prefix));
      return names.map((name) => join(folder, prefix, name));
    }),
  );
  return files.flat();
}

/** Flips one bit in the middle of the only container of a server. */
async function flip(server: string): Promise<void> {
  const [path, ...others] = await containerFiles(server);
  if (path === undefined || others.length > 0) throw new Error(`${server} has not one container`);
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 50_000);
    byte.writeUInt8(byte.readUInt8() ^ 1);
    await file.write(byte, 0, 1, 50_000);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function scrub(...args: readonly string[]): Promise<{ code: number | null; of: Map<string, Scrub> }> {
  const { code, stdout } = await realm.coda('scrub', ...args, '--json');
  const parsed = scrubSchema.parse(JSON.parse(stdout));
  return { code, of: new Map(parsed.servers.map((each) => [each.server, each.scrub])) };
}

t.test('a byte flips on one disk, then on all', async (t) => {
  const client = realm.client();
  const text = 'a report that matters\n'.repeat(5000);
  await succeed(client, 'MKCOL', '/docs');
  await succeed(client, 'PUT', '/docs/report.txt', text);
  const sound = await scrub('--wait');
  t.equal(sound.code, 0);
  t.same(
    [...sound.of.values()].map(({ healed, open }) => [healed, open]),
    [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  );

  await flip('s2');
  const healed = await scrub('s2', '--wait');
  t.equal(healed.code, 0);
  t.match(healed.of.get('s2'), { healed: 1, open: 0, running: false });
  t.equal((await containerFiles('s2')).length, 1, 'it is back');
  const kept = await readdir(join(realm.data, 'servers', 's2', 'containers', 'quarantine'));
  t.equal(kept.length, 1, 'what was damaged is kept for a person');

  for (const server of servers) await flip(server);
  const lost = await scrub('--wait');
  t.equal(lost.code, 1, 'something stays');
  for (const [server, { open, findings }] of lost.of) {
    t.equal(open, 1, server);
    t.match(findings[0], { path: '/docs/report.txt', fault: /contents/, advice: /cache.*backup/ });
  }
  const shown = await realm.coda('scrub', 'status');
  t.equal(shown.code, 1);
  t.match(shown.stdout, /\/docs\/report\.txt: contents-\w+, since/);
  t.match((await realm.coda('status')).stdout, /s1 holds 1 thing damaged/);

  t.equal(await read(client, '/docs/report.txt'), text, 'the gateway has it in its cache');
  await succeed(client, 'PUT', '/docs/report.txt', `${text}saved again`);
  const again = await scrub('--wait');
  t.equal(again.code, 0, 'nobody needs the lost contents any more');
});
