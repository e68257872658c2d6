import t from 'tap';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { CodaFolder } from './coda-folder.js';
import { Rehearsal, rehearsalStart, propfindBody } from './rehearsal.js';
import { childOf, textOf, type Element } from './xml-reader.js';

function bench(): Rehearsal {
  const rehearsal = new Rehearsal(new MemoryVenus({ wall: () => rehearsalStart, capacity: 1000 }));
  const { share } = rehearsal;
  rehearsal.share = { ...share, venus: new CodaFolder(share.venus, share.clock) };
  return rehearsal;
}

const asked = '<D:owner/><D:current-user-principal/><D:principal-URL/><D:displayname/><D:resourcetype/>';

function texts(found: ReadonlyMap<string, Element> | undefined): Record<string, string> {
  return Object.fromEntries(
    [...(found ?? [])].map(([name, element]) => {
      return [name.slice('{DAV:}'.length), textOf(childOf(element, '{DAV:}href') ?? element)];
    }),
  );
}

t.test('whose an object is, and who asks', async (t) => {
  const share = bench();
  await share.tree('d/', 'a.txt');
  const [self] = await share.listed('a.txt', {
    user: 'bob',
    body: propfindBody(`<D:prop>${asked}</D:prop>`),
  });
  const found = texts(self?.found);
  t.match(found, { owner: '/s/.coda/people/ann', 'current-user-principal': '/s/.coda/people/bob' });
  t.notOk('principal-URL' in found, 'a file is no principal');
  const [all] = await share.listed('a.txt');
  t.notOk(all?.found.has('{DAV:}owner'), 'only when named');
  const named = await share.propfind('a.txt', { body: propfindBody('<D:propname/>') });
  t.match(named, '<D:owner/>');
});

t.test('the URL of a person says who he is, and nobody is told who there is', async (t) => {
  const share = bench();
  const found = await share.found('.coda/people/b\u00e9a', asked);
  t.match(texts(found), { displayname: 'b\u00e9a', 'principal-URL': '/s/.coda/people/b%C3%A9a', owner: '' });
  t.match(
    await share.propfind('.coda/people/ann', { body: propfindBody('<D:prop><D:resourcetype/></D:prop>') }),
    '<D:principal/>',
  );
  t.equal((await share.listed('.coda/people', { depth: '1' })).length, 1);
  t.equal(await share.propfind('.coda/people/ann/x'), '404');
});

t.test('nobody gives an object away', async (t) => {
  const share = bench();
  await share.tree('a.txt');
  const update = '<D:set><D:prop><D:owner><D:href>/s/.coda/people/bob</D:href></D:owner></D:prop></D:set>';
  t.match(await share.patch('a.txt', update), { 403: ['{DAV:}owner'] });
  t.match(texts(await share.found('a.txt', asked)), { owner: '/s/.coda/people/ann' });
});
