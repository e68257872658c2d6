/**
 * The entry that `name` means: byte for byte, else under the other Unicode normal form (macOS sends NFD, others NFC;
 * names are stored as they were given).
 */
export function findEntry<Entry>(names: ReadonlyMap<string, Entry>, name: string): Entry | undefined {
  const exact = names.get(name);
  if (exact !== undefined || isAscii(name)) return exact;
  return names.get(name.normalize('NFC')) ?? names.get(name.normalize('NFD'));
}

function isAscii(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) if (name.charCodeAt(index) > 127) return false;
  return true;
}
