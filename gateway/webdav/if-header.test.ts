import fc from 'fast-check';
import t from 'tap';
import { DavError } from './exchange.js';
import { lock } from './lock.js';
import { Rehearsal } from './rehearsal.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { evaluateIf, parseIf, submittedTokens, type Condition, type IfList } from './if-header.js';

interface WrittenCondition {
  readonly not: boolean;
  readonly kind: string;
  readonly value: string;
}
type Written = readonly {
  readonly tag: string;
  readonly lists: readonly (readonly WrittenCondition[])[];
}[];

t.test('the grammar', async (t) => {
  const token = (value: string, not = false): Condition => ({ not, kind: 'token', value });
  const etag = (value: string, not = false): Condition => ({ not, kind: 'etag', value });
  const good: readonly (readonly [string, readonly IfList[]])[] = [
    ['(<urn:uuid:1>)', [{ tag: null, conditions: [token('urn:uuid:1')] }]],
    ['(Not <DAV:no-lock>)', [{ tag: null, conditions: [token('DAV:no-lock', true)] }]],
    [
      ' ( <t:1>  ["a b"]\t[W/"c"] ) (not["d"])',
      [
        { tag: null, conditions: [token('t:1'), etag('"a b"'), etag('W/"c"')] },
        { tag: null, conditions: [etag('"d"', true)] },
      ],
    ],
    [
      '</a> (<t:1>) (Not <t:2>) <http://h/b> (["x"])',
      [
        { tag: '/a', conditions: [token('t:1')] },
        { tag: '/a', conditions: [token('t:2', true)] },
        { tag: 'http://h/b', conditions: [etag('"x"')] },
      ],
    ],
  ];
  for (const [header, lists] of good) t.same(parseIf(header), lists, header);
  const bad = [
    '',
    ' ',
    '()',
    '(',
    ')',
    '<t:1>',
    '(<t:1>',
    '(t:1)',
    '(<t:1>))',
    '((<t:1>))',
    '(<>)',
    '(Not)',
    '(Not Not <t:1>)',
    '(Nothing <t:1>)',
    '(["a])',
    '([a])',
    '</a>',
    '</a> </b> (<t:1>)',
    '(<t:1>) </a> (<t:2>)',
    '(<t:1>), (<t:2>)',
    '(<t:1>) x',
    '(<a b>)',
  ];
  const malformed = 'The If header is malformed (RFC 4918 section 10.4.2)';
  t.throws(() => parseIf(`(${'<t:1>'.repeat(2000)})`), /longer than/);
  for (const header of bad)
    t.throws(() => parseIf(header), new DavError(400, malformed), header.slice(0, 30));
});

t.test('its meaning', async (t) => {
  const state = { tokens: new Set(['t:1']), etag: '"e"' };
  const cases: readonly (readonly [string, boolean])[] = [
    ['(<t:1>)', true],
    ['(<t:2>)', false],
    ['(<t:1> ["e"])', true],
    ['(<t:1> ["f"])', false],
    ['(<t:1> ["f"]) (Not <DAV:no-lock>)', true],
    ['(<DAV:no-lock>)', false],
    ['([W/"e"])', false],
    ['(Not [W/"e"])', true],
    ['(Not <t:2> <t:1>)', true],
  ];
  for (const [header, expected] of cases)
    t.equal(
      evaluateIf(parseIf(header), () => state),
      expected,
      header,
    );
  const weak = { tokens: new Set<string>(), etag: 'W/"e"' };
  t.notOk(
    evaluateIf(parseIf('([W/"e"])'), () => weak),
    'weak tags are equal to nothing',
  );
  const nothing = { tokens: new Set<string>(), etag: null };
  t.notOk(
    evaluateIf(parseIf('(["e"])'), () => nothing),
    'what does not exist has no entity tag',
  );
  t.same(
    [...submittedTokens(parseIf('(<t:1> ["f"]) (Not <t:2>)'))],
    ['t:1', 't:2'],
    'also false and negated ones',
  );
});

t.test('any header means what a plain reading of it means', async () => {
  const condition = fc.record({
    not: fc.boolean(),
    kind: fc.constantFrom('token', 'etag'),
    value: fc.constantFrom('1', '2', '3'),
  });
  const lists = fc.array(fc.array(condition, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });
  const tagged = fc.array(fc.record({ tag: fc.constantFrom('/a', '/b'), lists }), {
    minLength: 1,
    maxLength: 3,
  });
  const space = fc.constantFrom('', ' ', '  ');
  // The state of a resource is a string of digits: its tokens, the first one its entity tag too.
  const state = fc.string({ unit: fc.constantFrom('1', '2', '3'), maxLength: 3 });
  const truths = fc.record({ '': state, '/a': state, '/b': state });
  const write = (header: Written, gap: string): string =>
    header
      .map(({ tag, lists: inner }) => {
        const body = inner.map(
          (all) =>
            `(${all
              .map(
                ({ not, kind, value }) =>
                  `${not ? 'Not ' : ''}${kind === 'token' ? `<t:${value}>` : `["${value}"]`}`,
              )
              .join(gap)})`,
        );
        return `${tag === '' ? '' : `<${tag}>${gap}`}${body.join(gap)}`;
      })
      .join(gap);
  const check = (header: Written, gap: string, truth: Record<string, string>): boolean => {
    const dumb = header.some(({ tag, lists: inner }) =>
      inner.some((all) =>
        all.every(({ not, kind, value }) => {
          const state = truth[tag] ?? '';
          return not !== (kind === 'token' ? state.includes(value) : state.startsWith(value));
        }),
      ),
    );
    const real = evaluateIf(parseIf(write(header, gap)), (tag) => {
      const state = truth[tag ?? ''] ?? '';
      return {
        tokens: new Set([...state].map((digit) => `t:${digit}`)),
        etag: state === '' ? null : `"${state[0] ?? ''}"`,
      };
    });
    return dumb === real;
  };
  fc.assert(fc.property(tagged, space, truths, check), { numRuns: 300 });
  fc.assert(
    fc.property(lists, space, truths, (inner, gap, truth) => check([{ tag: '', lists: inner }], gap, truth)),
  );
});

t.test('no text makes it fail otherwise', async () => {
  const alphabet = fc.constantFrom(
    '(',
    ')',
    '<',
    '>',
    '[',
    ']',
    '"',
    'Not',
    ' ',
    'a',
    ':',
    'W/',
    '\t',
    '\u00e9',
  );
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 40 }), (text) => {
      try {
        return parseIf(text).length > 0;
      } catch (error) {
        return error instanceof DavError && error.status === 400;
      }
    }),
    { numRuns: 500 },
  );
});

t.test('the If header against real locks', async (t) => {
  const bench = new Rehearsal(new MemoryVenus());
  const guarded = async (path: string, header: string): Promise<string> => {
    const exchange = bench.exchange('PUT', path, { headers: { if: header } });
    const intent = { place: await bench.place(path), path: exchange.path, kind: 'content' } as const;
    try {
      await bench.locks.guard(exchange, [intent]);
      return 'ok';
    } catch (error) {
      if (!(error instanceof DavError)) throw error;
      return [error.status, error.condition, ...error.hrefs].filter((part) => part !== undefined).join(' ');
    }
  };
  await bench.tree('a', 'b');
  const { token } = await bench.lock('a');
  const locked = '423 lock-token-submitted /s/a';
  const etag = `"${(await bench.status('a')).version?.replace(':', '-') ?? ''}"`;
  const rows: readonly (readonly [string, string, string])[] = [
    ['a', `(${token} [${etag}])`, 'ok'],
    ['a', `(${token} ["no"])`, '412'],
    ['a', `(${token} ["no"]) (Not <DAV:no-lock>)`, 'ok'],
    ['a', `(${token.slice(0, -1)}x>) (Not <DAV:no-lock>)`, locked],
    ['a', '(Not <DAV:no-lock>)', locked],
    ['a', '(<DAV:no-lock>)', '412'],
    ['b', '(<DAV:no-lock>)', '412'],
    ['b', '(<urn:uuid:0>) (Not <DAV:no-lock>)', 'ok'],
    ['b', `</s/a> (${token})`, 'ok'],
    ['b', `<https://h/s/a> (${token} [${etag}])`, 'ok'],
    ['b', `<http://elsewhere/s/a> (${token})`, '412'],
    ['b', `</s/no/such> (${token})`, '412'],
    ['b', `</s/no/such> (Not ${token})`, 'ok'],
    ['a', `(${token}`, '400'],
    ['a', Array.from({ length: 65 }, (_, index) => `</s/${index}> (<t:1>)`).join(' '), '400'],
  ];
  for (const [path, header, expected] of rows) {
    t.equal(await guarded(path, header), expected, `${path}: ${header.slice(0, 40)}`);
  }
  const first = await bench.send(lock, 'LOCK', 'a', { headers: { if: '(<urn:uuid:0>)' } });
  t.equal(first.status, 412, 'Office begins with such a refresh');
});
