import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { OperatorError } from '../config/operator-error.js';
import { callControlDoor, isClaimed, openControlDoor, type Answer } from './control-door.js';
import { freePort } from './port.js';

const clock = systemClock();
const controlSchema = z.object({ pid: z.number(), port: z.number(), token: z.string() });

const answer: Answer = async (method, path) => {
  if (path === '/refuse') throw new OperatorError('usage', 'not so');
  return path === '/echo' ? { method } : undefined;
};

t.test('a door answers whoever can read the folder, and nobody when it is closed', async (t) => {
  const folder = t.testdir({});
  const nobody = { kind: 'unreachable', message: /Nothing is running/ };
  await t.rejects(callControlDoor(folder, 'GET', '/echo'), nobody);
  const door = await openControlDoor(folder, answer, clock, 0);
  t.same(await callControlDoor(folder, 'POST', '/echo'), { method: 'POST' });
  await t.rejects(callControlDoor(folder, 'GET', '/refuse'), new OperatorError('usage', 'not so'));
  await t.rejects(callControlDoor(folder, 'GET', '/nothing'), { message: /no GET \/nothing here/ });

  const control = controlSchema.parse(JSON.parse(readFileSync(join(folder, 'control.json'), 'utf8')));
  const url = `http://127.0.0.1:${control.port}/echo`;
  t.equal((await fetch(url)).status, 401);
  t.equal((await fetch(url, { headers: { authorization: `Bearer ${control.token}x` } })).status, 401);

  await door.close();
  await door.close();
  await t.rejects(callControlDoor(folder, 'GET', '/echo'), nobody);
  t.same(readdirSync(folder), []);
});

t.test('of many who claim a folder at once one gets it, also from a dead process', async (t) => {
  const dead = JSON.stringify({ pid: process.pid, port: await freePort('127.0.0.1'), token: 'gone' });
  for (const left of [undefined, dead, 'torn']) {
    const folder = t.testdir({});
    if (left !== undefined) {
      writeFileSync(join(folder, 'control.json'), left);
      writeFileSync(join(folder, 'claim.gone'), left);
    }
    t.notOk(await isClaimed(folder));
    const claims = await Promise.allSettled(
      Array.from({ length: 8 }, () => openControlDoor(folder, answer, clock, 0)),
    );
    const doors = claims.flatMap((claim) => (claim.status === 'fulfilled' ? claim.value : []));
    t.equal(doors.length, 1, `left behind: ${left ?? 'nothing'}`);
    t.ok(await isClaimed(folder));
    for (const claim of claims) {
      if (claim.status === 'rejected') t.match(claim.reason, { kind: 'refused', message: /is in use/ });
    }
    for (const door of doors) await door.close();
    t.same(readdirSync(folder), []);
  }
});

t.test('who waits gets the folder when it is given free', async (t) => {
  const folder = t.testdir({});
  const first = await openControlDoor(folder, answer, clock, 0);
  const second = openControlDoor(folder, answer, clock, 30_000);
  await first.close();
  await (await second).close();
});
