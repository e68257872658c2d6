/** Who has got the new realm key while it is renewed: what each server says of itself and of those who are linked. */
import { z } from 'zod';
import { identityText } from '../../vice/interface/index.js';
import type { Administration } from './administration.js';

const reported = z.object({
  keys: z.object({
    marks: z.array(z.string()),
    older: z.array(z.object({ role: z.enum(['gateway', 'server', 'operator']), name: z.string() })),
  }),
});

/** What is still to be done, in words; none: all servers, and all who are linked to them, speak with the new key. */
export async function keyLaggards(administration: Administration, mark: string): Promise<readonly string[]> {
  const { servers } = await administration.document();
  const found = new Set<string>();
  const answers = await Promise.all(servers.map(({ name }) => administration.report(name)));
  for (const [index, { name }] of servers.entries()) {
    const answer = reported.safeParse(answers[index]);
    if (answers[index] === undefined) found.add(`server ${name} does not answer`);
    else if (!answer.success)
      found.add(`server ${name} is of an older version: update it, or restart it with its new file`);
    else if (answer.data.keys.marks[0] !== mark) found.add(`server ${name} has not got the new key`);
    else for (const peer of answer.data.keys.older) addLinked(found, peer);
  }
  return [...found].sort();
}

/** The one who asks is done as soon as it speaks with the new one, which it does by itself. */
function addLinked(
  found: Set<string>,
  { role, name }: z.infer<typeof reported>['keys']['older'][number],
): void {
  if (role === 'operator') return;
  found.add(
    `${identityText({ role, name: name.replace(/\/[0-9a-f]{16}$/, '') })} speaks with the old key still`,
  );
}
