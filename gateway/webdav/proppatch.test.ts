import fc from 'fast-check';
import t from 'tap';
import { Failure } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { proppatch } from './proppatch.js';
import { Rehearsal, rehearsalStart, type RehearsedRequest } from './rehearsal.js';
import { parseXml, standalone, textOf } from './xml-reader.js';

class Bench extends Rehearsal {
  readonly venus: MemoryVenus;

  constructor(prefix?: string) {
    const venus = new MemoryVenus({ wall: () => rehearsalStart, capacity: 1000 });
    super(venus, prefix);
    this.venus = venus;
  }
}

const set = (inner: string): string => `<D:set><D:prop>${inner}</D:prop></D:set>`;
const remove = (inner: string): string => `<D:remove><D:prop>${inner}</D:prop></D:remove>`;

t.test('dead properties come back as they were set', async (t) => {
  const bench = new Bench();
  await bench.tree('a', 'd/');
  for (const path of ['a', 'd']) {
    const value = '<z:list xml:lang="de" n="&lt;1&gt;">x &amp; <y xmlns="urn:y">&#65536;</y></z:list>';
    t.same(await bench.patch(path, set(`${value}<none xmlns="">0</none>`)), {
      200: ['{urn:z}list', '{}none'],
    });
    const found = await bench.found(path, '<z:list/><none xmlns=""/>');
    t.equal(
      standalone(found.get('{urn:z}list') ?? parseXml('<a/>')),
      '<z:list xmlns:z="urn:z" xml:lang="de" n="&lt;1&gt;">x &amp; <y xmlns="urn:y">\u{10000}</y></z:list>',
    );

    t.equal(textOf(found.get('{}none') ?? parseXml('<a/>')), '0');
  }
  t.match(await bench.patch('a', `<D:set xml:lang="fr"><D:prop><z:l>\u00e9</z:l></D:prop></D:set>`), {
    200: ['{urn:z}l'],
  });
  t.equal(
    (await bench.found('a', '<z:l/>')).get('{urn:z}l')?.language,
    'fr',
    'the language around it stays with it',
  );
  const [all] = await bench.listed('a');
  t.ok(all?.found.has('{urn:z}list') && all.found.has('{}none'), 'allprop has them');

  await bench.patch('a', set('<z:p>1</z:p>') + remove('<z:p/>') + set('<z:q>1</z:q>') + set('<z:q>2</z:q>'));
  const found = await bench.found('a', '<z:p/><z:q/>');
  t.equal(found.get('{urn:z}p'), undefined, 'set, then removed');
  t.equal(textOf(found.get('{urn:z}q') ?? parseXml('<a/>')), '2', 'document order');
  await bench.patch('a', remove('<z:q/>') + set('<z:q>3</z:q>'));
  t.equal(
    textOf((await bench.found('a', '<z:q/>')).get('{urn:z}q') ?? parseXml('<a/>')),
    '3',
    'removed, then set',
  );
  t.same(await bench.patch('a', remove('<z:never/>')), { 200: ['{urn:z}never'] });

  await bench.patch('a', set('<D:displayname>Shown &lt;so></D:displayname>'));
  t.equal(
    textOf((await bench.found('a', '<D:displayname/>')).get('{DAV:}displayname') ?? parseXml('<a/>')),
    'Shown <so>',
  );
  t.match(await bench.propfind('a'), 'Shown &lt;so', 'one that was set is in allprop');
});

t.test('a property of any name and content survives', async () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,10}$/);
  const namespace = fc.constantFrom(
    '',
    'DAV:x',
    'urn:a:b',
    'http://h/x?a=b&amp;c="d"{}'.replaceAll('"', '&quot;'),
  );
  const text = fc
    .string({ unit: 'binary' })
    .map((raw) => raw.replace(/[^\u0020-\ud7ff\ue000-\ufffd]|[<&>\]]/g, ''));
  const bench = new Bench();
  await bench.tree('a');
  await fc.assert(
    fc.asyncProperty(name, namespace, text, async (local, uri, value) => {
      const element = `<${local} xmlns="${uri}">${value}</${local}>`;
      await bench.patch('a', set(element));
      const [found] = (await bench.found('a', `<${local} xmlns="${uri}"/>`)).values();
      return found !== undefined && found.local === local && found.children.join('') === value;
    }),
    { numRuns: 60 },
  );
});

t.test('PROPPATCH does all or nothing', async (t) => {
  const bench = new Bench();
  await bench.tree('a');
  const both = set('<z:p>1</z:p><z:q>2</z:q><D:getetag>"x"</D:getetag>');
  t.same(await bench.patch('a', both), { 424: ['{urn:z}p', '{urn:z}q'], 403: ['{DAV:}getetag'] });
  t.match(
    (
      await bench.send(proppatch, 'PROPPATCH', 'a', {
        body: '<propertyupdate xmlns="DAV:"><remove><prop><resourcetype/></prop></remove></propertyupdate>',
      })
    ).text,
    '<D:error><D:cannot-modify-protected-property/></D:error>',
  );
  t.equal((await bench.found('a', '<z:p/>')).size, 0);
  t.same(await bench.patch('a', set('<z:p>1</z:p><D:getlastmodified>soon</D:getlastmodified>')), {
    424: ['{urn:z}p'],
    409: ['{DAV:}getlastmodified'],
  });

  const big = 'x'.repeat(40_000);
  t.same(await bench.patch('a', set(`<z:big>${big}</z:big>`)), { 200: ['{urn:z}big'] });
  const more = set(`<z:more>${big}</z:more>`) + remove('<z:other/>');
  t.same(
    await bench.patch('a', more),
    { 507: ['{urn:z}more'], 424: ['{urn:z}other'] },
    '64 KiB for one object',
  );
  t.same(await bench.patch('a', remove('<z:big/>') + set(`<z:more>${big}</z:more>`)), {
    200: ['{urn:z}big', '{urn:z}more'],
  });

  const refusals: readonly (readonly [Failure['kind'], string])[] = [
    ['access-denied', '403'],
    ['no-space', '507'],
    ['too-large', '507'],
  ];
  for (const [kind, status] of refusals) {
    bench.venus.failNext('setProperties', new Failure(kind, 'venus.setProperties', kind));
    const outcome = await bench.patch('a', set('<z:p>1</z:p><D:lastmodified>1000</D:lastmodified>'));
    t.same(outcome, { [status]: ['{urn:z}p', '{DAV:}lastmodified'] }, kind);
    t.equal((await bench.status('a')).modified, bench.now, 'the time went back');
  }
  bench.venus.failNext('setProperties', new Failure('unreachable', 'venus.setProperties', 'away'));
  await t.rejects(bench.patch('a', set('<z:p>1</z:p>')), /away/);

  const many = Array.from({ length: 1001 }, (_, index) => `<z:p${index}/>`).join('');
  const rows: readonly (readonly [string, string, RehearsedRequest, string])[] = [
    ['missing', 'no', {}, '404'],
    ['condition', 'a', { headers: { 'if-match': '"x"' } }, '412'],
    ['too many', 'a', { body: many }, '400'],
    ['nothing', 'a', { body: '' }, '400'],
  ];
  for (const [name, path, { headers = {}, body = '<z:p/>' }, status] of rows) {
    t.equal(await bench.patch(path, set(body), { headers }), status, name);
  }
  t.equal(await bench.patch('a', '', { body: '' }), '400', 'no body');
});

t.test('what Windows and rclone set', async (t) => {
  const bench = new Bench();
  await bench.tree('a', 'd/');
  const windows =
    '<w:Win32CreationTime>Thu, 01 Jan 2015 00:00:00 GMT</w:Win32CreationTime>' +
    '<w:Win32LastModifiedTime>Fri, 02 Jan 2015 00:00:01 GMT</w:Win32LastModifiedTime>' +
    '<w:Win32FileAttributes>00000022</w:Win32FileAttributes>';
  const all = ['CreationTime', 'LastModifiedTime', 'FileAttributes'].map(
    (name) => `{urn:schemas-microsoft-com:}Win32${name}`,
  );
  for (const path of ['a', 'd']) {
    t.same(await bench.patch(path, set(windows)), { 200: all });
    const found = await bench.found(
      path,
      '<D:getlastmodified/><Win32LastModifiedTime xmlns="urn:schemas-microsoft-com:"/>',
    );
    t.same([...found.values()].map(textOf), [
      'Fri, 02 Jan 2015 00:00:01 GMT',
      'Fri, 02 Jan 2015 00:00:01 GMT',
    ]);
  }
  t.same(await bench.patch('a', set('<w:Win32LastModifiedTime>never</w:Win32LastModifiedTime>')), {
    200: [all[1]],
  });
  const [entry] = await bench.listed('a', { client: 'windows' });
  t.same(
    entry && [...entry.found.keys()].sort(),
    ['{DAV:}creationdate', '{DAV:}getcontentlength', '{DAV:}getlastmodified', '{DAV:}resourcetype', all[2]],
    'allprop for Windows is short',
  );
  t.same(await bench.patch('a', set('<D:lastmodified>1420070400</D:lastmodified>')), {
    200: ['{DAV:}lastmodified'],
  });
  t.equal((await bench.status('a')).modified, 1_420_070_400_000);

  await bench.lock('a');
  t.same(
    await bench.patch('a', set(windows)),
    { 200: all },
    'Office needs no token for these on a file it has locked',
  );
  t.equal(await bench.patch('a', set(windows), { user: 'bob' }), '423 lock-token-submitted');
  t.equal(await bench.patch('a', set(`${windows}<z:p/>`)), '423 lock-token-submitted');
});
