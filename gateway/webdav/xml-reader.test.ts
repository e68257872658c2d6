import fc from 'fast-check';
import { Readable } from 'node:stream';
import t from 'tap';
import { DavError } from './exchange.js';
import {
  childOf,
  elementsOf,
  parseXml,
  readXml,
  standalone,
  standaloneContent,
  textOf,
} from './xml-reader.js';
import { escapeAttribute, escapeXml } from './xml-writer.js';

async function fails(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DavError) return [error.status, error.condition].filter(Boolean).join(' ');
    throw error;
  }
  return 'read';
}

function stream(...chunks: readonly (string | Buffer)[]): Readable {
  return Readable.from(chunks.map((chunk) => Buffer.from(chunk as Buffer)));
}

t.test('what is refused, and how', async (t) => {
  const deep = (levels: number): string => '<a>'.repeat(levels) + '</a>'.repeat(levels);
  const attributes = (count: number): string =>
    `<a ${Array.from({ length: count }, (_, i) => `a${i}=""`).join(' ')}/>`;
  const cases: readonly (readonly [string, string | Buffer, string])[] = [
    ['not closed', '<a>', '400'],
    ['two roots', '<a/><b/>', '400'],
    ['white space only', '  ', '400'],
    ['undeclared prefix', '<x:a/>', '400'],
    ['undeclared prefix of an attribute', '<a x:b=""/>', '400'],
    ['prefix undone', '<a xmlns:x=""/>', '400'],
    ['unknown entity', '<a>&nbsp;</a>', '400'],
    ['the same attribute twice', '<a xmlns:p="n" xmlns:q="n" p:x="" q:x=""/>', '400'],
    ['control character', '<a>\u0001</a>', '400'],
    ['control character of XML 1.1', '<?xml version="1.1"?><a>&#1;</a>', '400'],
    ['bad UTF-8', Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]), '400'],
    ['cut off inside a character', Buffer.from([0x3c, 0x61, 0x2f, 0x3e, 0xe2, 0x82]), '400'],
    ['Latin-1 by its own word', '<?xml version="1.0" encoding="iso-8859-1"?><a/>', '400'],
    ['UTF-16 without its mark', Buffer.from('<a/>', 'utf16le'), '400'],
    ['33 levels', deep(33), '400'],
    ['32 levels', deep(32), 'read'],
    ['10,001 elements', `<a>${'<b/>'.repeat(10_000)}</a>`, '400'],
    ['10,000 elements', `<a>${'<b/>'.repeat(9_999)}</a>`, 'read'],
    ['a hundred thousand attributes', attributes(20_000), '400'],
    ['a long namespace', `<a xmlns="${'n'.repeat(1025)}"/>`, '400'],
    ['DTD', '<!DOCTYPE a><a/>', '403 no-external-entities'],
    [
      'external entity',
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      '403 no-external-entities',
    ],
    [
      'a billion laughs',
      '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><l>&c;</l>',
      '403 no-external-entities',
    ],
    ['256 KiB and a byte', `<a>${' '.repeat(256 * 1024 - 6)}</a>`, '413'],
    ['256 KiB', `<a>${' '.repeat(256 * 1024 - 7)}</a>`, 'read'],
  ];
  for (const [name, body, expected] of cases) {
    t.equal(await fails(() => readXml(stream(body))), expected, name);
  }
  const open = stream('<a>'.repeat(40), 'more');
  t.equal(await fails(() => readXml(open)), '400');
  t.notOk(open.destroyed, 'the stream outlives a refusal, so that the host can answer on its connection');
});

t.test('encodings and chunks', async (t) => {
  const text = '<?xml version="1.0"?>\r\n<a x="&lt;&quot;">\u20ac&#65536;<![CDATA[<&]]>x</a>';
  const swapped = Buffer.from(`\ufeff${text}`, 'utf16le').swap16();
  const bodies: readonly (readonly [string, Buffer])[] = [
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16, little end first', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16, big end first', swapped],
  ];
  for (const [name, body] of bodies) {
    for (const size of [1, 2, 7, body.length]) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size));
      const root = await readXml(stream(...chunks));
      t.equal(root && textOf(root), '\u20ac\u{10000}<&x', `${name} in chunks of ${size}`);
      t.same(
        root?.attributes.map(({ value }) => value),
        ['<"'],
      );
    }
  }
  t.equal(await readXml(stream()), undefined, 'no body is no element');
});

t.test('names and namespaces', async (t) => {
  const root = parseXml(
    '<D:a xmlns:D="DAV:" xmlns="urn:x"><b c="1" D:c="2"><d xmlns=""/></b> t<!-- no --><?p i?>u</D:a>',
  );
  t.equal(root.name, '{DAV:}a');
  const b = childOf(root, '{urn:x}b');
  t.same(
    b?.attributes.map(({ namespace, local, value }) => [namespace, local, value]),
    [
      ['', 'c', '1'],
      ['DAV:', 'c', '2'],
    ],
  );
  t.same(b && elementsOf(b).map(({ name }) => name), ['{}d']);
  t.same(root.children.slice(1), [' tu'], 'comments and instructions leave no trace');
});

t.test('an element that stands alone means the same', async (t) => {
  const alone = (xml: string): string => {
    const [first] = elementsOf(parseXml(xml));
    return first === undefined ? '' : standalone(first);
  };
  t.equal(
    alone('<r xmlns:a="u:a" xmlns:b="u:b"><a:x>1</a:x></r>'),
    '<a:x xmlns:a="u:a">1</a:x>',
    'only what it uses',
  );
  t.equal(alone('<r xmlns="u:d"><x><y/></x></r>'), '<x xmlns="u:d"><y/></x>', 'the default namespace');
  t.equal(alone('<r xmlns="u:d"><x xmlns=""><y/></x></r>'), '<x><y/></x>', 'no namespace');
  t.equal(
    alone('<r xmlns:p="u:1"><p:x xmlns:p="u:2"><p:y xmlns:p="u:3"/></p:x></r>'),
    '<p:x xmlns:p="u:2"><p:y xmlns:p="u:3"/></p:x>',
    'prefixes bound anew',
  );
  t.equal(
    alone('<r xmlns:xs="u:s" xmlns:i="u:i" xmlns:o="u:o"><x i:type="xs:int">o:p</x></r>'),
    '<x xmlns:i="u:i" xmlns:xs="u:s" xmlns:o="u:o" i:type="xs:int">o:p</x>',
    'prefixes inside of values',
  );
  t.equal(
    alone('<r xml:lang="de"><x>\u00e4</x></r>'),
    '<x xml:lang="de">\u00e4</x>',
    'the language around it',
  );
  t.equal(alone('<r xml:lang="de"><x xml:lang="fr"/></r>'), '<x xml:lang="fr"/>', 'its own language');
  t.equal(
    alone('<r><x a="&quot;&#10;&lt;">&#13;&amp;]]&gt;</x></r>'),
    '<x a="&quot;&#10;&lt;">&#13;&amp;]]&gt;</x>',
  );
  t.equal(
    standaloneContent(parseXml('<o xmlns:D="DAV:">Ann &amp; <D:href>mailto:a</D:href></o>')),
    'Ann &amp; <D:href xmlns:D="DAV:">mailto:a</D:href>',
    'contents, as of an owner element',
  );
});

t.test('what is written is read back', async (t) => {
  const text = fc
    .string({ unit: 'binary' })
    .map((raw) => raw.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, ''));
  fc.assert(
    fc.property(text, text, (content, value) => {
      const root = parseXml(`<a v="${escapeAttribute(value)}">${escapeXml(content)}</a>`);
      const again = parseXml(standalone(root));
      return [root, again].every(
        (element) => element.attributes[0]?.value === value && element.children.join('') === content,
      );
    }),
    { numRuns: 50 },
  );
  t.equal(escapeXml('a\u0000\ud800\uffff'), 'a\ufffd\ufffd\ufffd', 'what XML cannot say');
});

t.test('no text makes it fail otherwise', async () => {
  const seed = '<?xml version="1.0"?><D:a xmlns:D="DAV:" b=\'c\'><![CDATA[x]]><!-- c -->&amp;&#9;<e/></D:a>';
  const cuts = fc.tuple(fc.nat(seed.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 5 }));
  await fc.assert(
    fc.asyncProperty(fc.array(cuts, { maxLength: 4 }), async (edits) => {
      let text = seed;
      for (const [at, length, insert] of edits) text = text.slice(0, at) + insert + text.slice(at + length);
      await fails(() => readXml(stream(text)));
    }),
    { numRuns: 200 },
  );
});
