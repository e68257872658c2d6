/** No contents but those that somebody wrote, whole; none of a write that was refused for sure. */
import { brief } from '../world/ledger.js';
import type { Law } from '../world/outcome.js';

export const nothingInvented: Law = ({ ledger, looks }) => {
  const written = new Set(['']);
  const refused = new Map<string, string>();
  for (const attempt of ledger.attempts) {
    if (attempt.text === undefined || attempt.text === '') continue;
    if (ledger.mayHaveHappened(attempt)) written.add(attempt.text);
    else refused.set(attempt.text, `${attempt.by} was told ${attempt.outcome}`);
  }
  const broken: string[] = [];
  const judge = (where: string, text: string): void => {
    if (written.has(text)) return;
    const why = refused.get(text);
    broken.push(
      `${where} has ${brief(text)}, ${why === undefined ? 'which nobody wrote' : `although ${why}`}`,
    );
  };
  for (const { dumps, views } of looks) {
    for (const [server, dump] of dumps) {
      if (!(dump instanceof Error))
        for (const { versions } of dump) for (const text of versions) judge(server, text);
    }
    for (const { gateway, texts } of views) for (const text of texts) judge(gateway, text);
  }
  for (const { by, read, outcome, seen } of ledger.attempts) {
    if (outcome !== 'ok' || read === undefined) continue;
    judge(by, read);
    const expected =
      seen?.version === null || seen === undefined || seen === null
        ? undefined
        : ledger.texts.get(seen.version);
    if (expected !== undefined && expected !== read) {
      broken.push(`${by} read ${brief(read)} as the version that is ${brief(expected)}`);
    }
  }
  return [...new Set(broken)];
};
