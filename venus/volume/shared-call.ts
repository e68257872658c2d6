/** Runs `call` unless one for `key` is under way; then waits for that one. */
export function shared<K, T>(calls: Map<K, Promise<T>>, key: K, call: () => Promise<T>): Promise<T> {
  const running = calls.get(key);
  if (running !== undefined) return running;
  const started = call().finally(() => calls.delete(key));
  calls.set(key, started);
  return started;
}
