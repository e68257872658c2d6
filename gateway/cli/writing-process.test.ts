/** Whose a temporary file is: only what nobody is at any more may be taken away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { isLeft, markOf, ownMark, startOf, writerMark } from './writing-process.js';

const day = 24 * 60 * 60 * 1000;

t.test('what is written by a process that is there is not left, however old', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => undefined, 60_000)'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const { pid = 0 } = child;
  const start = startOf(pid);
  const mark = markOf(pid, start);
  t.match(mark, writerMark);
  t.notOk(isLeft(mark, 20 * day));
  const hasStarts = start !== undefined;
  t.equal(isLeft(markOf(pid, `${start ?? ''}1`), 0), hasStarts, 'of one that had the same number before it');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(isLeft(mark, 0), 'it is dead');
});

t.test('others', async (t) => {
  t.ok(isLeft(ownMark(), 0), 'of a process that had our number');
  t.notOk(isLeft(markOf(1, startOf(1)), 20 * day), 'of somebody whom we may not even ask');
  const foreign = `${ownMark().startsWith('0') ? '1' : '0'}${ownMark().slice(1)}`;
  t.notOk(isLeft(foreign, 2 * day), 'on another machine');
  t.ok(isLeft(foreign, 20 * day), 'on another machine, long ago');
  for (const none of ['', 'monday', `${ownMark()}0`]) t.notOk(isLeft(none, 2 * day), `"${none}" is no mark`);
});
