/** Copies of a gateway's data folder: put back from a backup, or at work beside the one that they were made from. */
import t from 'tap';
import { isFailure, type Venus } from '../../venus/interface.js';
import { get, list, makeDirectory, put, remove } from './share.js';
import type { SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(5 * 60_000);

function faultOf(venus: Venus): string {
  return venus.state().volumes[0]?.lastError ?? '';
}

/** Whether it was acknowledged. */
async function saved(realm: SimulatedRealm, gateway: string, path: string, text: string): Promise<boolean> {
  try {
    await realm.finish(put(realm.gateway(gateway), path, text));
    return true;
  } catch (error) {
    if (isFailure(error)) return false;
    throw error;
  }
}

async function textsOf(realm: SimulatedRealm, paths: readonly string[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for (const path of paths) texts.push((await realm.finish(get(realm.gateway('g2'), path))) ?? '');
  return texts;
}

/** On another machine, as the gateway that it is a copy of. */
function startClone(realm: SimulatedRealm): Promise<Venus> {
  return realm.startGateway('clone', realm.document, 'g1');
}

t.test('what was done since the backup is at a server that is gone: others tell of it', async (t) => {
  const realm = await startedRealm({ seed: 1 });
  await realm.finish(put(realm.gateway('g1'), 'a', 'one'));
  realm.kill('g1');
  const backup = realm.copyDisk('g1');
  for (const name of ['s2', 's3']) realm.network.cut('g1', name);
  const g1 = await realm.startGateway('g1');
  await realm.finish(put(g1, 'a', 'two'));
  await realm.clock.advance(70_000);
  realm.kill('g1');
  realm.kill('s1');
  for (const name of ['s2', 's3']) realm.network.heal('g1', name);
  realm.replaceDisk('g1', backup);
  const restored = await realm.startGateway('g1');
  await realm.clock.advance(5000);
  t.notOk(await saved(realm, 'g1', 'a', 'three'), 'nobody could tell it from what was there');
  t.match(faultOf(restored), /old copy/);
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'two');
});

t.test('two gateways on copies of one data folder: nothing acknowledged is lost', async (t) => {
  const realm = await startedRealm({ seed: 2 });
  const g1 = realm.gateway('g1');
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(makeDirectory(g1, 'e'));
  await realm.finish(list(g1, 'e'));
  await realm.clock.advance(1000);
  realm.replaceDisk('clone', realm.copyDisk('g1'));
  const clone = await startClone(realm);
  await realm.clock.advance(5000);
  const acknowledged = new Map<string, string>();
  for (let index = 0; index < 5; index += 1) {
    for (const [gateway, folder] of [
      ['clone', 'd'],
      ['g1', 'e'],
    ] as const) {
      const [path, text] = [`${folder}/${index}`, `${gateway} ${index}`];
      if (await saved(realm, gateway, path, text)) acknowledged.set(path, text);
      await realm.clock.advance(500);
    }
  }
  t.match(`${faultOf(clone)} ${faultOf(realm.gateway('g1'))}`, /copy/, 'one of them at least has found out');
  const g2 = realm.gateway('g2');
  for (const [path, text] of acknowledged) t.equal(await realm.finish(get(g2, path)), text, path);
});

t.test(
  'in the same moment, before any server could tell: each goes on by itself, and nothing is lost',
  async (t) => {
    const realm = await startedRealm({ seed: 5 });
    const g1 = realm.gateway('g1');
    await realm.finish(put(g1, 'a', 'before'));
    await realm.clock.advance(1000);
    realm.replaceDisk('clone', realm.copyDisk('g1', 'another machine'));
    const clone = await startClone(realm);
    await realm.clock.advance(5000);
    t.not(clone.state().venus, g1.state().venus);
    // Each reaches a server that the other does not.
    for (const name of ['s1', 's2']) realm.network.cut('clone', name);
    realm.network.cut('g1', 's3');
    realm.network.cut('s1', 's3');
    realm.network.cut('s2', 's3');
    await realm.clock.advance(5000);
    for (const [name, venus] of [
      ['clone', clone],
      ['g1', g1],
    ] as const) {
      t.ok(await saved(realm, name, 'a', `of ${name}`));
      t.ok(await saved(realm, name, `new of ${name}`, name));
      t.equal(faultOf(venus), '');
    }
    for (const other of ['s1', 's2']) {
      realm.network.heal('clone', other);
      realm.network.heal(other, 's3');
    }
    realm.network.heal('g1', 's3');
    await realm.clock.advance(70_000);
    const g2 = realm.gateway('g2');
    for (const name of ['clone', 'g1']) t.equal(await realm.finish(get(g2, `new of ${name}`)), name);
    const names = await realm.finish(list(g2, ''));
    const both = await textsOf(
      realm,
      names.filter((name) => name.startsWith('a')),
    );
    t.same([...both].sort(), ['of clone', 'of g1'], 'one of them beside the other, as a conflict');
  },
);

t.test(
  'what waits in the log of a copy is sent once, by either, and what comes after it as well',
  async (t) => {
    const realm = await startedRealm({ seed: 6 });
    const g1 = realm.gateway('g1');
    await realm.finish(makeDirectory(g1, 'd'));
    await realm.clock.advance(1000);
    for (const server of realm.serverNames) realm.network.cut('g1', server);
    await realm.clock.advance(5000);
    for (const [path, text] of [
      ['d/a', 'one'],
      ['d/b', 'two'],
    ] as const)
      t.ok(await saved(realm, 'g1', path, text));
    realm.kill('g1');
    realm.replaceDisk('clone', realm.copyDisk('g1', 'another machine'));
    for (const server of realm.serverNames) realm.network.cut('clone', server);
    const clone = await startClone(realm);
    await realm.clock.advance(1000);
    t.ok(await saved(realm, 'clone', 'd/a', 'over it'));
    await realm.startGateway('g1');
    t.ok(await saved(realm, 'g1', 'd/c', 'three'));
    for (const name of ['clone', 'g1']) {
      for (const server of realm.serverNames) realm.network.heal(name, server);
      await realm.clock.advance(10_000);
    }
    await realm.clock.advance(60_000);
    t.same([clone, realm.gateway('g1')].map(faultOf), ['', '']);
    t.equal(clone.state().volumes[0]?.pendingRecords, 0);
    t.same([...(await realm.finish(list(realm.gateway('g2'), 'd')))].sort(), ['a', 'b', 'c']);
    const texts = await textsOf(realm, ['d/a', 'd/b', 'd/c']);
    t.same(texts, ['over it', 'two', 'three']);
  },
);

t.test('what a copy has in its log, and its original has long replaced, is told and kept', async (t) => {
  const realm = await startedRealm({ seed: 7 });
  await realm.finish(list(realm.gateway('g1'), ''));
  for (const server of realm.serverNames) realm.network.cut('g1', server);
  await realm.clock.advance(5000);
  t.ok(await saved(realm, 'g1', 'a', 'one'));
  realm.kill('g1');
  const copy = realm.copyDisk('g1', 'another machine');
  const again = await realm.startGateway('g1');
  await realm.finish(remove(again, 'a'));
  t.ok(await saved(realm, 'g1', 'b', 'two'));
  for (const server of realm.serverNames) realm.network.heal('g1', server);
  await realm.clock.advance(30_000);
  realm.replaceDisk('clone', copy);
  const clone = await startClone(realm);
  await realm.clock.advance(30_000);
  t.match(faultOf(clone), /old copy/);
  t.ok((clone.state().volumes[0]?.pendingRecords ?? 0) > 0, 'and it waits for somebody to save it');
  t.same(await realm.finish(list(realm.gateway('g2'), '')), ['b']);
});

t.test('who reads what its copy has written changes it no more', async (t) => {
  const realm = await startedRealm({ seed: 3 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'before'));
  await realm.clock.advance(1000);
  realm.replaceDisk('clone', realm.copyDisk('g1'));
  await startClone(realm);
  await realm.clock.advance(5000);
  t.ok(await saved(realm, 'clone', 'a', 'of the copy'));
  await realm.clock.advance(1000);
  t.equal(await realm.finish(get(g1, 'a')), 'of the copy');
  t.match(faultOf(g1), /copy/);
  t.notOk(await saved(realm, 'g1', 'a', 'after'), 'servers would take it for an earlier change');
  await realm.clock.advance(1000);
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'of the copy');
});

t.test('a copy that goes to work under another name is told so, and keeps what it cannot send', async (t) => {
  const realm = await startedRealm({ seed: 4 });
  await realm.finish(put(realm.gateway('g1'), 'a', 'before'));
  await realm.clock.advance(1000);
  realm.replaceDisk('clone', realm.copyDisk('g1'));
  const clone = await realm.startGateway('clone');
  await realm.clock.advance(5000);
  t.notOk(await saved(realm, 'clone', 'a', 'of the copy'));
  for (const server of realm.serverNames) realm.network.cut('clone', server);
  await realm.clock.advance(5000);
  t.ok(await saved(realm, 'clone', 'b', 'in its log'));
  for (const server of realm.serverNames) realm.network.heal('clone', server);
  await realm.clock.advance(30_000);
  t.match(faultOf(clone), /first came here as gateway g1; start it under that name/);
  t.ok((clone.state().volumes[0]?.pendingRecords ?? 0) > 0, 'it waits');
  t.equal(clone.state().volumes[0]?.keptRecords, 0, 'and is not given up');
  t.ok(await saved(realm, 'g1', 'a', 'after'), 'the one that it is a copy of goes on');
  await realm.clock.advance(1000);
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'after');
});
