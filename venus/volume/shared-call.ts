/** Runs `call` unless one for `key` is under way; then waits for that one. */
export function shared<K>(calls: Map<K, Promise<void>>, key: K, call: () => Promise<void>): Promise<void> {
  const running = calls.get(key);
  if (running !== undefined) return running;
  const started = call().finally(() => calls.delete(key));
  calls.set(key, started);
  return started;
}
