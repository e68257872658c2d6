/** What people at real gateways recorded is judged by the simulator's laws, and breaks them where it should. */
import t from 'tap';
import { rootFid, type Fid, type StoreId, type VolumeId } from '../../vice/interface/index.js';
import { resourceIdOf } from '../../gateway/webdav/resource-id.js';
import { judge } from '../simulation/laws/judge.js';
import type { DumpedObject } from '../simulation/replica-dump.js';
import type { Attempt } from '../simulation/world/attempt.js';
import type { View } from '../simulation/world/outcome.js';
import { deedsOf } from './deed-stream.js';
import { Recording } from './recording.js';
import { asSeen } from './as-seen.js';
import { outcomeOf } from './remote-answer.js';
import { versionOf } from './remote-sight.js';
import { fragmentOf } from './said-property.js';

const root = rootFid('7f000001' as VolumeId);
const file = '7f000001.2.58bc14fa7a8f633e' as Fid;
const version = '58bc14fa7a8f633e:7' as StoreId;
const seen = resourceIdOf(file) as Fid;
const seenRoot = resourceIdOf(root) as Fid;

function object(given: Partial<DumpedObject>): DumpedObject {
  const status = {
    ...{ data: null, siblings: [], setAside: [], places: [], gone: {}, revived: {}, mode: null },
    ...{ owner: 'ann', setters: {}, access: [] },
  } as unknown as DumpedObject['status'];
  const empty = { path: '', fid: root, kind: 'directory', vv: {}, storeId: null, known: {}, contents: null };
  return { ...empty, versions: [], status, conflicts: [], properties: {}, modified: 0, ...given };
}

/** A file of the root with these contents, as a server's disk has it. */
function fileWith(text: string): DumpedObject {
  const plain = object({
    fid: file,
    kind: 'file',
    path: '/a',
    contents: text,
    versions: [text],
    vv: { s1: 2 },
  });
  const data = { storeId: version, length: text.length };
  const places = [{ parent: root, name: 'a' }];
  return { ...plain, status: { ...plain.status, data, places } as unknown as DumpedObject['status'] };
}

/** A person at g1 has put `/a`, and was told so. */
function putOf(recording: Recording, given: Partial<Attempt> = {}): Attempt {
  const attempt = recording.begin({ do: 'put', by: 'g1/ann', path: 'a', bytes: 8 }, 'g1');
  const text = `g1/ann ${attempt.number}.`;
  const done = { text, version, made: seen, into: seenRoot, base: null, shown: null, outcome: 'ok' } as const;
  Object.assign(attempt, { ...done, placed: { fid: seen, parent: seenRoot, name: 'a' }, end: 2 }, given);
  recording.leave(attempt);
  return attempt;
}

function judged(recording: Recording, objects: readonly DumpedObject[], shown: Partial<View> = {}) {
  const dump = asSeen([object({ vv: { s1: 1 } }), ...objects]);
  const texts = objects.flatMap(({ versions }) => versions);
  const paths = objects.map(({ path }) => path);
  const view = {
    gateway: 'g1',
    paths,
    texts,
    conflicts: [],
    pending: [],
    leases: [],
    rights: {},
    missing: [],
  };
  const dumps = new Map(['s1', 's2', 's3'].map((server) => [server, dump]));
  const look = { when: 'healed', dumps, views: [{ ...view, ...shown }] } as const;
  const run = recording.run({ looks: [look], sizes: [], settledMs: 0, seed: 1 });
  return judge(run).map(({ law, text }) => `${law}: ${text}`);
}

function recorded(given: Partial<Attempt> = {}): { readonly recording: Recording; readonly text: string } {
  const recording = new Recording(() => 1);
  return { recording, text: putOf(recording, given).text ?? '' };
}

t.test('what was acknowledged and is there breaks no law', async (t) => {
  const { recording, text } = recorded();
  t.same(judged(recording, [fileWith(text)]), []);
});

t.test('what was acknowledged and is nowhere is lost', async (t) => {
  const { recording } = recorded();
  t.match(judged(recording, []), [/^nothing lost: "g1\/ann 0\."/, /^nothing lost: urn:uuid/]);
});

t.test('what was refused for sure must not be there; what had no answer may be', async (t) => {
  const refused = recorded({ outcome: 'changed' });
  t.match(
    judged(refused.recording, [fileWith(refused.text)]).join('\n'),
    /nothing invented: s1 .*told changed/,
  );
  const {
    version: _version,
    made: _made,
    placed: _placed,
    ...unanswered
  } = recorded().recording.ledger.attempts[0]!;
  const open = new Recording(() => 1);
  open.ledger.attempts.push({ ...unanswered, outcome: 'pending', end: undefined });
  t.same(judged(open, []), []);
  t.same(judged(open, [fileWith('g1/ann 0.')]), [], 'its maker is found by what is in it');
});

t.test('what nobody saw again went with its folder only if that was removed meanwhile', async (t) => {
  const folder = 'urn:uuid:folder' as Fid;
  for (const removed of [folder, 'urn:uuid:another' as Fid]) {
    const recording = new Recording(() => 1);
    const { made: _made, placed: _placed, ...put } = putOf(recording, { into: folder });
    recording.ledger.attempts[0] = put;
    recording.ledger.put(folder, seenRoot);
    const removal = recording.begin({ do: 'remove', by: 'g1/ann#2', path: 'x' }, 'g1');
    removal.removes.add(removed);
    Object.assign(removal, { outcome: 'ok', end: 3 });
    const lost = removed === folder ? [] : [/^nothing lost: "g1\/ann 0\."/];
    t.match(judged(recording, []), lost);
    t.equal(judged(recording, []).length, lost.length);
  }
});

t.test('what nobody saw again may have been under a name that was cleared for a folder', async (t) => {
  for (const name of ['a', 'b']) {
    const recording = new Recording(() => 1);
    const { made: _made, placed: _placed, ...put } = putOf(recording);
    recording.ledger.attempts[0] = put;
    const move = recording.begin({ do: 'rename', by: 'g1/ann#2', path: 'x', to: name }, 'g1');
    Object.assign(move, { outcome: 'ok', end: 3, blind: { parent: seenRoot, name } });
    t.equal(judged(recording, []).length, name === 'a' ? 0 : 1);
  }
});

t.test('a record that was applied twice is seen in the counts', async (t) => {
  const { recording, text } = recorded();
  const twice = { ...fileWith(text), vv: { s1: 3 } };
  t.match(judged(recording, [twice])[0], /^applied once: s1: \/a counts 3 updates at s1; 2 were ever sent/);
});

t.test('a gateway that shows another tree, or has not sent a change, is found', async (t) => {
  const { recording, text } = recorded();
  t.match(
    judged(recording, [fileWith(text)], { paths: [] })[0],
    /^convergence: healed: g1 shows another tree/,
  );
});

t.test('a version never changes its bytes', async (t) => {
  const { recording, text } = recorded();
  recording.read(version, text, 'g1: /a');
  recording.read(version, 'other', 'g2: /a');
  t.match(judged(recording, [fileWith(text)])[0], /^answers: .*g2: \/a shows other bytes as the version/);
});

t.test('what is seen of a replica, an ETag and a property', async (t) => {
  const [{ fid, status }] = asSeen([fileWith('x')]) as [DumpedObject];
  t.match(fid, /^urn:uuid:[0-9a-f-]{36}$/);
  t.equal(status.places[0]?.parent, seenRoot);
  t.equal(versionOf('"58bc14fa7a8f633e-7"'), version);
  t.equal(versionOf('"nothing of ours"'), null);
  t.match(fragmentOf('{x}p0', '<v>1</v>'), /^<P:p0 xmlns:P="x"><v>1<\/v><\/P:p0>$/);
});

t.test('of answers only those are certain that say so', async (t) => {
  t.equal(outcomeOf(412, ''), 'changed');
  t.equal(outcomeOf(404, ''), 'not-found');
  t.equal(outcomeOf(409, 'The folder for it is gone'), 'changed');
  t.equal(outcomeOf(409, 'something else'), 'conflict');
  t.equal(outcomeOf(503, ''), 'unreachable');
  t.equal(outcomeOf(507, ''), 'no-space');
});

t.test('the same seed draws the same deeds', async (t) => {
  const some = (seed: number) => {
    const deeds = deedsOf('g1/ann', seed);
    return Array.from({ length: 100 }, () => deeds.next().value);
  };
  t.same(some(3), some(3));
  t.not(JSON.stringify(some(3)), JSON.stringify(some(4)));
  t.ok(new Set(some(3).map(({ do: verb }) => verb)).size === 8, 'of all kinds');
});
