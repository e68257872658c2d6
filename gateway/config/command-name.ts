/** What the reader of a message types for `coda`: itself, or through npm where it is not installed. */
export function commandName(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['npm_lifecycle_event'] === undefined ? 'coda' : 'npm run --silent coda --';
}

/** `text` as it can be pasted into a shell. */
export function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
