/** What a directory's access list is; what it means says access.ts. */
import type { StoreId } from './store-id.js';

/** A sum of the bits in access.ts (`right`). */
export type Rights = number;

/** User or group -> rights. */
export interface AccessList {
  readonly positive: Readonly<Record<string, Rights>>;
  readonly negative: Readonly<Record<string, Rights>>;
}

/** A list as somebody has set it. */
export interface AccessVersion {
  /** The update that set it. */
  readonly storeId: StoreId;
  /** null: the directory is to have none of its own. */
  readonly list: AccessList | null;
  /** Milliseconds since 1970 at the gateway. */
  readonly time: number;
  readonly author: string;
  readonly host: string;
}
