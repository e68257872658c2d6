/** Archives that are torn, altered or forged, and logs that cannot be archived whole. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { Failure, type Mutation } from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import { MemoryVenus } from '../twin/memory-venus.js';
import { restoreArchive } from './restore.js';
import { endBytes, tarHeader, tarPadding } from './tar.js';
import {
  archiveOf,
  bob,
  containers,
  day,
  entriesOf,
  evening,
  idle,
  invalid,
  morning,
  pieces,
  put,
  realm,
  restore,
  shareOf,
  start,
  treeOf,
} from '../../conformance/bare-venus/archived-day.js';

/** For many RUNS. */
t.setTimeout(600_000);

t.test('torn anywhere it is refused, and what was done is told and harmless', async (t) => {
  const share = await morning();
  const archive = await archiveOf(await day(share));
  const whole = evening(share);
  await restore(whole, archive);
  const tree = await treeOf(whole);
  let told = 0;
  for (let cut = 0; cut < archive.length; cut += 512) {
    // Long contents are the same everywhere.
    if (cut > 32 * 1024 && cut < archive.length - 16 * 1024 && cut % (37 * 512) !== 0) continue;
    const other = evening(share);
    const failed = await restoreArchive(pieces(archive.subarray(0, cut)), shareOf(other)).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(failed instanceof Failure) || failed.kind !== 'invalid') t.fail(`cut at ${cut}: ${String(failed)}`);
    else if (/before that [1-9]\d* changes? w/.test(failed.message)) told += 1;
    idle(other);
    if (cut % (8 * 512) !== 0) continue;
    await restore(other, archive);
    t.same(await treeOf(other), tree, `a whole one behind one that was cut at ${cut}`);
  }
  t.ok(told > 10, 'what was done is told');
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, 5000);
    throw new Error('the sender went away');
  };
  await t.rejects(restoreArchive(broken(), shareOf(evening(share))), {
    kind: 'invalid',
    message: /went away/,
  });
  const rest = Buffer.concat([archive, Buffer.from('more')]);
  await t.rejects(restore(evening(share), rest), { kind: 'invalid', message: /behind its end/ });
  await restore(evening(share), Buffer.concat([archive, Buffer.alloc(10_240)]));
});

t.test('an altered byte is found', async (t) => {
  const share = await morning();
  const archive = await archiveOf(await day(share));
  const contentsStart = archive.indexOf('contents/');
  for (let place = 0; place < archive.length; place += place < 20_000 ? 131 : 20_011) {
    const altered = Buffer.from(archive);
    altered[place] = (altered[place] ?? 0) ^ 0x04;
    const other = evening(share);
    const failed = await restoreArchive(pieces(altered, 5000), shareOf(other)).then(
      () => undefined,
      (error: unknown) => error,
    );
    t.ok(failed instanceof Failure, `byte ${place} was altered: ${String(failed)}`);
    // Before anything is done, heading and lines have proved to be whole.
    if (place < contentsStart) t.notMatch(String(failed), /before that/);
    idle(other);
  }
});

t.test('forged archives get nothing', async (t) => {
  const share = await morning();
  const before = await treeOf(share);
  const base = entriesOf(await day(share)).flatMap(({ records }) => records);
  const creation = base.find(({ op }) => op === 'create') as Extract<Mutation, { op: 'create' }>;
  const store = base.find(({ op, ...rest }) => op === 'store' && 'length' in rest && rest.length > 0);
  if (store?.op !== 'store') throw new Error('the day has a store');
  const line = (record: object, paths: object = {}): string =>
    `${JSON.stringify({ sequence: 1, volume: 'root', reason: null, paths, record })}\n`;

  for (const name of ['..', '.', 'a/b', '/etc', 'a\u0000b', '', 'x'.repeat(300), '\ud800']) {
    await t.rejects(restore(share, forged(line({ ...creation, name }))), invalid, JSON.stringify(name));
  }
  for (const path of ['docs', '/docs/../../etc', '/a//b', '/a/', '/a\u0000', `/${'d/'.repeat(300)}d`]) {
    const lines = line(store, { [store.fid]: path });
    await t.rejects(
      restore(share, forged(lines)),
      { ...invalid, message: /line 1 .* malformed/ },
      JSON.stringify(path),
    );
  }
  const huge = 3 * 1024 ** 3;
  const promised = line({ ...store, length: huge });
  const giant = header(`contents/${store.digest}`, huge);
  await t.rejects(restore(share, forged(promised, giant)), { kind: 'invalid', message: /ends too early/ });
  await t.rejects(restore(share, forged(line(store), giant)), {
    kind: 'invalid',
    message: /no change names/,
  });
  await t.rejects(restore(share, forged(header('x', huge))), invalid);
  const outside = header('contents/../../etc/passwd', 0);
  await t.rejects(restore(share, forged(line(store), outside)), invalid);
  const wrong = Buffer.concat([
    header(`contents/${store.digest}`, 8),
    Buffer.from('not them'),
    tarPadding(8),
  ]);
  await t.rejects(restore(share, forged(line({ ...store, length: 8 }), wrong)), { message: /do not match/ });
  await t.rejects(restore(share, forged(line(store))), { message: /are missing/ });
  const trailing = await archiveOf(new MemoryVenus());
  await t.rejects(restore(share, Buffer.concat([trailing.subarray(0, -endBytes), header('tree/z', 0)])), {
    message: /behind its seal/,
  });
  const later = Buffer.from(trailing.toString('latin1').replace('"version": 2', '"version": 3'), 'latin1');
  await t.rejects(restore(share, later), { kind: 'incompatible', message: /has format 3/ });
  await t.rejects(restore(share, Buffer.from('PK\u0003\u0004'.padEnd(2000, 'x'))), invalid);
  t.same(await treeOf(share), before, 'the share is as it was');

  function forged(lines: string | Buffer, ...rest: Buffer[]): Buffer {
    const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');
    const head = JSON.stringify({ format: 'coda-log', version: 1, realm, gateway: 'g1', time: start });
    const body = typeof lines === 'string' ? lines : '';
    const text = `${body}${JSON.stringify({ sha256: sha256(body), heading: sha256(head) })}\n`;
    const parts = [
      part('coda-log.json', head),
      typeof lines === 'string' ? part('changes.jsonl', text) : lines,
    ];
    const whole = Buffer.concat([...parts, ...rest]);
    return rest.length > 0
      ? whole
      : Buffer.concat([whole, part('coda-log.sha256', `${sha256(whole)}\n`), Buffer.alloc(1024)]);
  }
});

function header(name: string, size: number): Buffer {
  return Buffer.from(tarHeader({ name, type: 'file', size, target: '', modified: start }));
}

function part(name: string, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([header(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

t.test('an empty log, lost contents, a full disk', async (t) => {
  const share = await morning();
  t.same(await restore(share, await archiveOf(new MemoryVenus())), { restored: 0, present: 0, notes: [] });

  const gateway = await day(share);
  const archive = await archiveOf(gateway);
  const text = containers.get(digestOf(Buffer.from('brief'))) ?? Buffer.alloc(0);
  containers.set(digestOf(Buffer.from('brief')), Buffer.from('BRIEF'));
  await t.rejects(archiveOf(gateway), { kind: 'damaged', message: /do not match their checksum/ });
  containers.set(digestOf(Buffer.from('brief')), text);

  const full = evening(share);
  full.failNext('writer.write', new Failure('no-space', 'test', 'the disk is full'));
  await t.rejects(restore(full, archive), {
    kind: 'no-space',
    message: /the disk is full; before that \d+ changes/,
  });
  idle(full);
  const forbidden = evening(share);
  forbidden.failNext('writer.close', new Failure('access-denied', 'test', 'no right to this'));
  const { notes } = await restore(forbidden, archive);
  t.match(notes, [/letter\.txt" is not restored: no right to this/]);
  const raced = evening(share);
  raced.beforeNext('writer.write', () => put(raced, bob, '/docs/letter.txt', 'quick'));
  await restore(raced, archive);
  t.match(await treeOf(raced), {
    '/docs/letter.txt': /^quick /,
    '/docs/letter (restored ann 2026-01-02 03.05.05).txt': /^dear everybody /,
  });
});
