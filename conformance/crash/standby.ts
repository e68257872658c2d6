/**
 * A server or gateway that has read its modules and waits for the word to begin; then it is the process that
 * `coda ROLE ...` is. Nothing of its data is opened before. A test that kills hundreds of times does not wait for Node
 * each time: reading the modules takes more of a processor than all the rest of a start.
 *
 * Arguments: the compiled `coda` command, and the file that assembles the role. The word: the command's arguments.
 */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , command = '', assembly = ''] = process.argv;

const gone = (): never => process.exit(0);
process.once('disconnect', gone);
process.once('message', (words) => {
  process.off('disconnect', gone);
  process.argv = [process.execPath, command, ...wordsOf(words)];
  void import(pathToFileURL(command).href);
});

const parts = (await readdir(dirname(command))).filter((name) => /^(?!main\.).*(?<!\.test)\.js$/.test(name));
for (const file of [assembly, ...parts.map((name) => join(dirname(command), name))]) {
  await import(pathToFileURL(file).href);
}
process.send?.({ report: 'loaded' });

function wordsOf(message: unknown): readonly string[] {
  if (!Array.isArray(message)) throw new Error('a standby process was told something else than words');
  return message.map(String);
}
