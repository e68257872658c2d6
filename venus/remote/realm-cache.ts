/**
 * The realm document (VLDB and VRDB in one) as this gateway knows it: which servers there are and where volumes lie.
 * The newest that its configuration or a server had; row `realm`, so that a gateway finds servers that came later also
 * when those of its configuration are gone.
 */
import {
  contractFault,
  Failure,
  intact,
  realmDocumentSchema,
  seal,
  type RealmDocument,
} from '../../vice/interface/index.js';
import type { WriteBuffer } from '../store/write-buffer.js';

const row = 'realm';

export class RealmCache {
  readonly #buffer: WriteBuffer;
  #current: RealmDocument;
  /** Of the same realm, and older than the configured one: what was known before. */
  readonly former: RealmDocument | undefined;

  /** @throws Failure incompatible */
  constructor(configured: RealmDocument, buffer: WriteBuffer) {
    this.#buffer = buffer;
    const stored = intact(buffer.get(row));
    const document = stored === undefined ? undefined : checked(stored);
    const isNewer = document?.realm === configured.realm && document.version > configured.version;
    this.#current = isNewer ? document : configured;
    this.former = !isNewer && document?.realm === configured.realm ? document : undefined;
  }

  get current(): RealmDocument {
    return this.#current;
  }

  /** Takes a newer document of the same realm; whether it did. */
  adopt(document: RealmDocument): boolean {
    if (document.realm !== this.#current.realm || document.version <= this.#current.version) return false;
    this.#current = document;
    this.#buffer.put(row, seal(document));
    return true;
  }
}

/** @throws Failure incompatible: a newer program has written it */
function checked(stored: unknown): RealmDocument {
  const parsed = realmDocumentSchema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const message = `the realm document in the data folder of this gateway: ${contractFault(parsed.error)}`;
  throw new Failure('incompatible', 'venus.open', message);
}
