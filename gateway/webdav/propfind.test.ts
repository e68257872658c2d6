import t from 'tap';
import { gunzipSync } from 'node:zlib';
import { Failure } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import type { Client } from './exchange.js';
import { RenderedCache } from './property-rendering.js';
import { propertyRequest, type PropertyRequest } from './property-request.js';
import { propfind } from './propfind.js';
import { ann, propfindBody, Rehearsal, rehearsalStart, type RehearsedRequest } from './rehearsal.js';
import { resourceIdElement } from './resource-id.js';
import { virtualStatus } from './virtual-object.js';
import { elementsOf, parseXml, textOf } from './xml-reader.js';

class Bench extends Rehearsal {
  readonly venus: MemoryVenus;

  constructor(prefix?: string) {
    const venus = new MemoryVenus({ wall: () => rehearsalStart, capacity: 1000 });
    super(venus, prefix);
    this.venus = venus;
  }
}

t.setTimeout(300_000);

t.test('PROPFIND refuses what it cannot or must not answer', async (t) => {
  const bench = new Bench();
  await bench.tree('a');
  const many = Array.from({ length: 257 }, (_, index) => `<z:p${index}/>`).join('');
  const rows: readonly (readonly [string, string, RehearsedRequest, string])[] = [
    ['whole tree', '', { depth: 'infinity' }, '403 propfind-finite-depth'],
    ['no Depth', '', { headers: { depth: undefined } }, '403 propfind-finite-depth'],
    ['odd Depth', '', { depth: '2' }, '400'],
    ['missing', 'no', {}, '404'],
    ['not well-formed', 'a', { body: '<a' }, '400'],
    [
      'prefix bound to nothing',
      'a',
      { body: '<D:propfind xmlns:D="DAV:"><D:prop><b:c xmlns:b=""/></D:prop></D:propfind>' },
      '400',
    ],
    [
      'external entity',
      'a',
      { body: `<!DOCTYPE x SYSTEM "http://h/x">${propfindBody('<D:allprop/>')}` },
      '403 no-external-entities',
    ],
    ['two megabytes', 'a', { body: propfindBody(`<D:allprop/>${' '.repeat(2 ** 21)}`) }, '413'],
    ['other element', 'a', { body: '<propfind/>' }, '400'],
    ['nothing asked', 'a', { body: propfindBody('<z:allprop/>') }, '400'],
    ['two questions', 'a', { body: propfindBody('<D:allprop/><D:propname/>') }, '400'],
    ['too many names', 'a', { body: propfindBody(`<D:prop>${many}</D:prop>`) }, '400'],
  ];
  for (const [name, path, options, expected] of rows)
    t.equal(await bench.propfind(path, options), expected, name);
  bench.venus.failNext('list', new Failure('unreachable', 'venus.list', 'away'));
  await t.rejects(bench.propfind('', { depth: '1' }), /away/, 'never a short listing');
});

t.test('the shape of a listing', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'd/\u00e9 (1)#%.txt', 'd/e/');
  const body = propfindBody('<D:prop><D:resourcetype/><D:getcontentlength/><z:no/></D:prop><z:unknown/>');
  const ok = '<D:status>HTTP/1.1 200 OK</D:status></D:propstat>';
  const missing = '<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>';
  const folder =
    '<D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop>' +
    `${ok}<D:propstat><D:prop><D:getcontentlength/><x:no xmlns:x="urn:z"/></D:prop>${missing}`;
  const text = await bench.propfind('d', { depth: '1', body });
  const [head, self, ...members] = text.split('<D:response>');
  t.equal(head, '<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">');
  t.equal(self, `<D:href>/s/d/</D:href>${folder}`);
  t.same(members.map((member) => member.replace('</D:multistatus>', '')).sort(), [
    '<D:href>/s/d/%C3%A9%20(1)%23%25.txt</D:href><D:propstat><D:prop><D:resourcetype/>' +
      `<D:getcontentlength>4</D:getcontentlength></D:prop>${ok}` +
      `<D:propstat><D:prop><x:no xmlns:x="urn:z"/></D:prop>${missing}`,
    `<D:href>/s/d/e/</D:href>${folder}`,
  ]);
  t.ok(text.endsWith('</D:multistatus>'));
  for (const headers of [{ brief: 't' }, { prefer: 'foo, return=minimal' }]) {
    t.notMatch(await bench.propfind('d', { depth: '1,noroot', body, headers }), '404', 'minimal');
  }
  const nothing = await bench.propfind('d', {
    body: propfindBody('<D:prop><z:no/></D:prop>'),
    headers: { brief: 't' },
  });
  t.match(
    nothing,
    '<D:propstat><D:prop></D:prop><D:status>HTTP/1.1 200 OK',
    'a response is never without a propstat',
  );
  t.equal((await bench.listed('d/e', { depth: '1' })).length, 1);
  const root = new Bench('');
  await root.tree('d/', 'a');
  t.same((await root.listed('', { depth: '1' })).map(({ href }) => href).sort(), ['/', '/a', '/d/']);
  t.equal((await root.listed('a', { depth: '1' })).length, 1, 'a file has no members');
});

t.test('live properties', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'a<&>.txt');
  const names =
    'creationdate displayname getcontentlength getcontenttype getetag getlastmodified resourcetype ' +
    'supportedlock lockdiscovery quota-available-bytes quota-used-bytes getcontentlanguage ishidden';
  const asked = names
    .split(' ')
    .map((name) => `<D:${name}/>`)
    .join('');
  const values = async (path: string): Promise<Record<string, string>> => {
    const found = await bench.found(path, asked);
    return Object.fromEntries([...found].map(([name, element]) => [name.slice(6), textOf(element)]));
  };
  const { getcontenttype, ...file } = await values('a<&>.txt');
  t.match(getcontenttype, /^text\/plain|^application/);
  t.same(file, {
    creationdate: '2026-01-02T03:04:05Z',
    displayname: 'a<&>.txt',
    getcontentlength: '4',
    getetag: `"${(await bench.status('a<&>.txt')).version?.replace(':', '-') ?? ''}"`,
    getlastmodified: 'Fri, 02 Jan 2026 03:04:05 GMT',
    resourcetype: '',
    supportedlock: '',
    lockdiscovery: '',
  });
  t.match(await values('d'), { displayname: 'd', 'quota-available-bytes': '996', 'quota-used-bytes': '4' });
  t.same(Object.keys(await values('d')).sort(), [
    'creationdate',
    'displayname',
    'getlastmodified',
    'lockdiscovery',
    'quota-available-bytes',
    'quota-used-bytes',
    'resourcetype',
    'supportedlock',
  ]);

  const [all] = await bench.listed('d');
  t.notOk(all?.found.has('{DAV:}quota-used-bytes'), 'quota only when named');
  t.notOk(all?.found.has('{DAV:}displayname'));
  const [included] = await bench.listed('d', {
    body: propfindBody('<D:allprop/><D:include><D:quota-used-bytes/><z:no/></D:include>'),
  });
  t.equal(textOf(included?.found.get('{DAV:}quota-used-bytes') ?? parseXml('<a/>')), '4');
  const [known] = await bench.listed('d', { body: propfindBody('<D:propname/>') });
  t.ok(known?.found.has('{DAV:}quota-used-bytes'));
  t.ok(known !== undefined && [...known.found.values()].every((element) => element.children.length === 0));

  await bench.venus.setModified(ann, (await bench.status('d')).fid, 1e300);
  t.match(
    await values('d'),
    { getlastmodified: 'Thu, 01 Jan 1970 00:00:00 GMT' },
    'an impossible time breaks nothing',
  );
});

t.test('the resource-id is of the object, whatever its name and contents are', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'd/a', 'd/b');
  const idOf = async (path: string): Promise<string> => {
    const [response] = await bench.listed(path, { body: propfindBody('<D:prop><D:resource-id/></D:prop>') });
    const [href] = elementsOf(response?.found.get('{DAV:}resource-id') ?? parseXml('<a/>'));
    return textOf(href ?? parseXml('<a/>'));
  };
  const before = await idOf('d/a');
  t.match(before, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.not(await idOf('d/b'), before);
  const { fid } = await bench.status('d');
  await bench.venus.rename(ann, { parent: fid, name: 'a' }, { parent: fid, name: 'c' }, { replace: false });
  t.equal(await idOf('d/c'), before);
  const [all] = await bench.listed('d/c');
  t.notOk(all?.found.has('{DAV:}resource-id'), 'only when named');
  t.equal(resourceIdElement(virtualStatus(['.coda'], 0)), undefined, 'what is in no volume has none');
});

t.test('what a listing must not do to its client', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'd/a:b', 'd/trailing.', 'd/plain');
  const hrefs = async (client: Client['kind']): Promise<readonly string[]> =>
    (await bench.listed('d', { depth: '1', client })).map(({ href }) => href).sort();
  t.same(await hrefs('windows'), ['/s/d/', '/s/d/plain'], 'one such name would hide the whole folder');
  t.equal((await hrefs('other')).length, 4);
  await bench.lock('d/plain');
  const text = await bench.propfind('d', { depth: '1', client: 'macos' });
  t.match(text, '<D:activelock>');
  t.equal(text.split('<D:href>').length, text.split('<D:response>').length, 'one href in each response');
});

t.test('properties are kept with the status that they are of', async (t) => {
  const bench = new Bench();
  await bench.tree('a');
  const object = await bench.status('a');
  const cache = new RenderedCache();
  const ask = (inner: string): PropertyRequest =>
    cache.intern(propertyRequest(parseXml(propfindBody(`<D:prop>${inner}</D:prop>`)), false));
  const asked = ask('<D:displayname/><D:creationdate/>');
  t.equal(ask('<D:displayname/><D:creationdate/>'), asked, 'equal requests are one');
  const first = cache.render(asked, object, 'a');
  t.equal(cache.render(asked, object, 'a'), first, 'rendered once');
  t.match(cache.render(asked, object, 'b').found, '>b<', 'under another name');
  t.match(cache.render(ask('<D:resourcetype/>'), object, 'b').found, /^<D:resourcetype/, 'another request');
  t.match(cache.render(asked, { ...object, created: 1e300 }, 'b').found, '>1970-', 'an impossible time');
});

t.test('a folder of thousands', async (t) => {
  const bench = new Bench();
  const root = await bench.status('');
  const name = (index: number): string => `a name of 28 letters ${String(index).padStart(7, '0')}`;
  for (let index = 0; index < 2900; index += 1) {
    await (await bench.venus.write(ann)).close({ parent: root.fid, name: name(index) });
  }
  const { body } = await propfind(bench.exchange('PROPFIND', '', { depth: '1', client: 'windows' }));
  const sizes: number[] = [];
  if (typeof body === 'object') for await (const chunk of body) sizes.push(String(chunk).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  t.ok(total < 1_000_000, `Windows reads at most 1,000,000 bytes: ${total}`);
  t.ok(Math.max(...sizes) < 40_000, 'in pieces');

  const again = await bench.propfind('', { depth: '1' });
  const headers = { 'accept-encoding': 'br, gzip;q=0.5' };
  const packed = await bench.send(propfind, 'PROPFIND', '', { depth: '1', headers });
  t.equal(packed.headers['Content-Encoding'], 'gzip');
  t.equal(gunzipSync(packed.body).toString(), again);
  for (const refusing of ['identity', 'gzip;q=0', 'x-gzip']) {
    const headers = { 'accept-encoding': refusing };
    t.equal(await bench.propfind('', { depth: '1', headers }), again, refusing);
  }
  t.equal(await bench.propfind('', { depth: '1' }), again, 'kept properties are the same');
  await bench.venus.setModified(ann, (await bench.status(name(7))).fid, 0);
  t.not(await bench.propfind('', { depth: '1' }), again, 'and follow a change');
});
