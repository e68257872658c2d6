/** Which command may decide about which file: the operator's rule file. Pure. */
import { z } from 'zod';

/** Where nothing else is said. */
const defaultTimeMs = 30_000;
const defaultOutputBytes = 64 * 1024 * 1024;

const ruleSchema = z.strictObject({
  /** `*` and `?` stand for letters of one name, `**` for any folders. Without a slash it is about the file's name. */
  match: z.string().min(1).max(1000),
  /** Program and arguments; nothing is expanded by a shell. */
  command: z.array(z.string().min(1)).min(1).max(100),
  timeLimitMs: z.number().int().min(100).max(3_600_000).default(defaultTimeMs),
  outputBytes: z
    .number()
    .int()
    .min(1)
    .max(1024 ** 3)
    .default(defaultOutputBytes),
});

export const rulesSchema = z.strictObject({ format: z.literal(1), rules: z.array(ruleSchema).max(1000) });

export type ResolverRule = z.infer<typeof ruleSchema>;

/** The first rule for the file at `path`. */
export function ruleFor(rules: readonly ResolverRule[], path: readonly string[]): ResolverRule | undefined {
  const name = path.at(-1);
  if (name === undefined) return undefined;
  return rules.find(({ match }) => {
    const pattern = match
      .normalize('NFC')
      .split('/')
      .filter((part) => part !== '');
    const names = path.map((each) => each.normalize('NFC'));
    return match.includes('/')
      ? matches(pattern, names)
      : matchesName(match.normalize('NFC'), name.normalize('NFC'));
  });
}

function matches(pattern: readonly string[], names: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return names.length === 0;
  const [name, ...below] = names;
  if (first === '**') return matches(rest, names) || (name !== undefined && matches(pattern, below));
  return name !== undefined && matchesName(first, name) && matches(rest, below);
}

/** Without a regular expression: a pattern of many stars would keep one busy for ever. */
function matchesName(pattern: string, name: string): boolean {
  let [at, star, resume] = [0, -1, 0];
  for (let index = 0; index < name.length;) {
    if (pattern[at] === '*') [star, resume] = [at++, index];
    else if (pattern[at] === '?' || pattern[at] === name[index]) [at, index] = [at + 1, index + 1];
    else if (star >= 0) [at, index] = [star + 1, (resume += 1)];
    else return false;
  }
  return [...pattern.slice(at)].every((letter) => letter === '*');
}
