import fc from 'fast-check';
import t from 'tap';
import {
  compare,
  counterOf,
  crc32,
  decode,
  encode,
  increment,
  isFailure,
  isRunt,
  isWithin,
  knows,
  makeFid,
  makeStoreId,
  maximum,
  parseFid,
  parseStoreId,
  relate,
  rootFid,
  seal,
  signCredential,
  unionOf,
  unseal,
  venusId,
  venusOf,
  verifyCredential,
  volumeId,
  volumeOf,
  withStoreId,
  type Peer,
  type Relation,
  type VenusId,
  type Version,
  type VersionVector,
  type VolumeId,
} from './index.js';

const runs = { numRuns: 300 };
const venus = '9c3e5d7b01f2a4c6' as VenusId;
const other = '00000000000000ff' as VenusId;
const volume = '7f000001' as VolumeId;
const root = rootFid(volume);

const vector = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 3 }));
const knownVector = fc.dictionary(fc.constantFrom<string>(venus, other), fc.integer({ min: 1, max: 4 }));

void t.test('version vectors', async (t) => {
  await t.test('relations of two replicas', async (t) => {
    const table: readonly [VersionVector, VersionVector, Relation][] = [
      [{}, {}, 'equal'],
      [{ a: 1 }, { a: 1 }, 'equal'],
      [{ a: 0 }, {}, 'equal'],
      [{ a: 1 }, {}, 'dominant'],
      [{}, { a: 1 }, 'submissive'],
      [{ a: 2, b: 1 }, { a: 1, b: 1 }, 'dominant'],
      [{ a: 1, b: 1 }, { a: 1, b: 1, c: 1 }, 'submissive'],
      [{ a: 2, b: 1 }, { a: 1, b: 2 }, 'inconsistent'],
      [{ a: 1 }, { b: 1 }, 'inconsistent'],
    ];
    for (const [a, b, relation] of table) t.equal(compare(a, b), relation, `${JSON.stringify([a, b])}`);
  });

  await t.test('whoever asks, the answer is the same', async () => {
    const mirrored = {
      equal: 'equal',
      dominant: 'submissive',
      submissive: 'dominant',
      inconsistent: 'inconsistent',
    };
    fc.assert(
      fc.property(vector, vector, (a, b) => compare(b, a) === mirrored[compare(a, b)]),
      runs,
    );
  });

  await t.test('a chain of dominance does not break', async () => {
    const atLeast = (a: VersionVector, b: VersionVector): boolean =>
      ['equal', 'dominant'].includes(compare(a, b));
    fc.assert(
      fc.property(vector, vector, vector, (a, b, c) => !atLeast(a, b) || !atLeast(b, c) || atLeast(a, c)),
      runs,
    );
  });

  await t.test('the maximum is the least vector above both', async () => {
    fc.assert(
      fc.property(vector, vector, vector, (a, b, bound) => {
        const joined = maximum(a, b);
        const above = (upper: VersionVector, lower: VersionVector): boolean =>
          compare(lower, upper) === 'equal' || compare(lower, upper) === 'submissive';
        const least = !(above(bound, a) && above(bound, b)) || above(bound, joined);
        return above(joined, a) && above(joined, b) && least && compare(joined, maximum(b, a)) === 'equal';
      }),
      runs,
    );
  });

  await t.test('an update dominates what it came from, whatever replicas took it', async () => {
    const replicas = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 });
    fc.assert(
      fc.property(vector, replicas, (vv, taken) => compare(increment(vv, taken), vv) === 'dominant'),
      runs,
    );
  });

  await t.test('a runt is what has the name but never had an update', async (t) => {
    t.ok(isRunt({ vv: {}, storeId: null }));
    t.notOk(isRunt({ vv: { a: 1 }, storeId: null }));
    t.notOk(isRunt({ vv: {}, storeId: makeStoreId(venus, 1) }));
  });
});

void t.test('versions: counts first, then what each has known', async (t) => {
  const version = (vv: VersionVector, counter: number, known: Record<string, number>): Version => {
    return { vv, storeId: counter === 0 ? null : makeStoreId(venus, counter), known };
  };
  const first = version({ a: 1, b: 1 }, 1, { [venus]: 1 });
  const firstAtA = version({ a: 1 }, 1, { [venus]: 1 });
  const firstAtB = version({ b: 1 }, 1, { [venus]: 1 });
  const second = version({ a: 2 }, 2, { [venus]: 2 });
  const theirs = version({ b: 1 }, 0, { [other]: 1 });
  const crossed = version({ a: 2 }, 1, { [venus]: 1, [other]: 1 });
  const runt = version({}, 0, {});
  const table: readonly [string, Version, Version, string][] = [
    ['the same update at both', first, first, 'equal'],
    ['a lost COP2', firstAtA, firstAtB, 'weakly-equal'],
    ['a later update', second, first, 'dominant'],
    ['a later update after a lost COP2', second, firstAtB, 'dominant'],
    ['a runt', runt, firstAtA, 'submissive'],
    ['two runts', runt, runt, 'equal'],
    ['two partitions', firstAtA, theirs, 'inconsistent'],
    ['the same last update hides a missing one', crossed, firstAtA, 'dominant'],
  ];
  for (const [name, a, b, relation] of table) t.equal(relate(a, b), relation, name);

  const anyVersion = fc
    .record({ vv: vector, known: knownVector })
    .map(({ vv, known }) => ({ vv, known, storeId: null }));
  const mirrored: Record<string, string> = { dominant: 'submissive', submissive: 'dominant' };
  fc.assert(
    fc.property(anyVersion, anyVersion, (a, b) => relate(b, a) === (mirrored[relate(a, b)] ?? relate(a, b))),
    runs,
  );
});

void t.test('StoreIds and their vectors', async (t) => {
  await t.test('notation', async (t) => {
    const id = makeStoreId(venus, 17);
    t.equal(id, '9c3e5d7b01f2a4c6:17');
    t.equal(parseStoreId(id), id);
    t.equal(venusOf(id), venus);
    t.equal(counterOf(id), 17);
    const wrong = [
      '',
      `${venus}:0`,
      `${venus}:-1`,
      `${venus}:01`,
      `${venus}:1.5`,
      `${venus}:`,
      `${venus}:1 `,
      `${venus}:1\n`,
    ];
    for (const text of [...wrong, '9C3E5D7B01F2A4C6:1', '9c3e:1', `x${venus}:1`]) {
      t.equal(parseStoreId(text), undefined, JSON.stringify(text));
    }
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 15 - 1 }), (counter) => {
        const parsed = parseStoreId(makeStoreId(venus, counter));
        return parsed !== undefined && counterOf(parsed) === counter && venusOf(parsed) === venus;
      }),
      runs,
    );
  });

  await t.test('a vector knows the updates up to its counts', async (t) => {
    t.notOk(knows({}, makeStoreId(venus, 1)));
    t.ok(knows({ [venus]: 2 }, makeStoreId(venus, 1)));
    t.ok(knows({ [venus]: 2 }, makeStoreId(venus, 2)));
    t.notOk(knows({ [venus]: 2 }, makeStoreId(venus, 3)));
    t.notOk(knows({ [venus]: 2 }, makeStoreId(other, 1)));
    t.same(withStoreId({ [venus]: 2 }, makeStoreId(other, 3)), { [venus]: 2, [other]: 3 });
    t.same(withStoreId({ [venus]: 5 }, makeStoreId(venus, 3)), { [venus]: 5 }, 'never goes back');
  });

  await t.test('the union is the least vector that holds both', async () => {
    fc.assert(
      fc.property(knownVector, knownVector, knownVector, (a, b, bound) => {
        const union = unionOf(a, b);
        const least = !(isWithin(a, bound) && isWithin(b, bound)) || isWithin(union, bound);
        const swapped = unionOf(b, a);
        const commutes = isWithin(union, swapped) && isWithin(swapped, union);
        return isWithin(a, union) && isWithin(b, union) && least && commutes;
      }),
      runs,
    );
  });
});

void t.test('Fids', async (t) => {
  const fid = makeFid(volume, 42, venus);
  t.equal(fid, '7f000001.2a.9c3e5d7b01f2a4c6');
  t.equal(parseFid(fid), fid);
  t.equal(volumeOf(fid), volume);
  t.equal(parseFid(root), root);
  t.equal(root, '7f000001.1.1');
  const wrong = [
    '',
    '7f000001',
    '7f000001.1',
    '7f000001.1.1.1',
    '7f00001.1.1',
    '7F000001.1.1',
    '7f000001.1.g',
    '7f000001..1',
  ];
  for (const text of [
    ...wrong,
    '7f000001.1.1\n',
    ' 7f000001.1.1',
    '../../1.1.1',
    `7f000001.1.${'1'.repeat(17)}`,
  ]) {
    t.equal(parseFid(text), undefined, JSON.stringify(text));
  }
  for (const text of ['7f000001', '00000000']) t.equal(volumeId(text), text);
  for (const text of ['7f00001', '7f0000011', '7F000001', '7f000001\n', ''])
    t.equal(volumeId(text), undefined);
  t.equal(venusId(venus), venus);
  for (const text of [venus.slice(1), `${venus}0`, `${venus}\n`, 'g'.repeat(16)])
    t.equal(venusId(text), undefined);
  const vnode = fc.integer({ min: 1, max: 2 ** 52 - 2 });
  fc.assert(
    fc.property(vnode, (number) => parseFid(makeFid(volume, number, venus)) !== undefined),
    runs,
  );
  fc.assert(
    fc.property(vnode, (number) => makeFid(volume, number, venus) !== makeFid(volume, number + 1, venus)),
    runs,
  );
});

void t.test('the codec', async (t) => {
  const sample = {
    fid: root,
    length: 2 ** 53 - 1,
    negative: -5,
    fraction: 0.1,
    nothing: null,
    list: [1, 'two', [true, false]],
    bytes: new Uint8Array([0, 1, 255]),
    ключ: 'ü\u{1f600}',
  };

  await t.test('gives back what it was given', async (t) => {
    t.same(decode(encode(sample)), { ...sample, bytes: Buffer.from(sample.bytes) });
    t.same(unseal(seal(sample)), { ...sample, bytes: Buffer.from(sample.bytes) });
    const json = fc
      .jsonValue({ maxDepth: 3 })
      .filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        return JSON.stringify(decode(encode(value))) === text && JSON.stringify(unseal(seal(value))) === text;
      }),
      runs,
    );
  });

  await t.test('notices every flipped bit and every cut of a sealed record', async (t) => {
    const sealed = seal(sample);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const harmed = Uint8Array.from(sealed);
      harmed[bit >> 3] = (harmed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (
        !isFailure(
          thrown(() => unseal(harmed)),
          'damaged',
        )
      )
        t.fail(`bit ${bit} was not noticed`);
    }
    for (let length = 0; length < sealed.length; length += 1) {
      const cut = sealed.subarray(0, length);
      if (
        !isFailure(
          thrown(() => unseal(cut)),
          'damaged',
        )
      )
        t.fail(`a cut to ${length} bytes was not noticed`);
    }
    t.ok(
      isFailure(
        thrown(() => unseal(new Uint8Array([...sealed, 0]))),
        'damaged',
      ),
      'a byte too many',
    );
  });

  await t.test('says what is no MessagePack', async (t) => {
    const deep = new Uint8Array(1_000_000).fill(0x91);
    for (const bytes of [new Uint8Array(), new Uint8Array([0x92, 1]), new Uint8Array([1, 2, 3]), deep]) {
      t.ok(
        isFailure(
          thrown(() => decode(bytes)),
          'invalid',
        ),
        Buffer.from(bytes.subarray(0, 8)).toString('hex'),
      );
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const error = thrown(() => decode(bytes));
        return error === undefined || isFailure(error, 'invalid');
      }),
      { numRuns: 2000 },
    );
  });

  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926, "the check value of the CRC's catalogue");
});

void t.test('credentials', async (t) => {
  const key = Buffer.alloc(32, 1);
  const now = 1_700_000_000_000;
  const peer: Peer = { role: 'gateway', name: `office/${venus}` };
  const token = signCredential(key, 'realm-1', peer, now + 1000);
  t.same(verifyCredential(key, 'realm-1', token, now), peer);
  t.same(verifyCredential(key, 'realm-1', token, now + 1000), peer, 'to the last millisecond');
  t.equal(verifyCredential(key, 'realm-1', token, now + 1001), undefined, 'expired');
  t.equal(verifyCredential(key, 'realm-2', token, now), undefined, 'of another realm');
  t.equal(verifyCredential(Buffer.alloc(32, 2), 'realm-1', token, now), undefined, 'signed with another key');

  const [body = '', mac = ''] = token.split('.');
  const forged = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const claims = { realm: 'realm-1', role: 'operator', name: 'me', expires: now + 1000 };
  const wrong = [
    '',
    '.',
    body,
    `${body}.`,
    `.${mac}`,
    `${token}.`,
    `${token}.${mac}`,
    `${forged(claims)}.${mac}`,
    token.slice(0, -1),
  ];
  for (const text of [...wrong, `${body}.${'A'.repeat(mac.length)}`, 'x'.repeat(100_000)]) {
    t.equal(verifyCredential(key, 'realm-1', text, now), undefined, text.slice(0, 60));
  }
  for (let at = 0; at < token.length; at += 1) {
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
    if (verifyCredential(key, 'realm-1', changed, now) !== undefined)
      t.fail(`character ${at} does not matter`);
  }
  const superfluous = signCredential(key, 'realm-1', { ...peer, admin: true } as Peer, now + 1000);
  t.equal(verifyCredential(key, 'realm-1', superfluous, now), undefined, 'claims that nobody knows');
});

function thrown(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
