/** What work without servers costs, and coming back: latency, replay, recovery and reconnection. */
import { DrivenRealm } from './driven-realm.js';
import { putLatency } from './latency.js';
import type { Running } from './peers.js';
import {
  folders,
  largeFiles,
  paperLog,
  replayOf,
  replayRows,
  smallFiles,
  type LogShape,
  type LogSizes,
  type Replayed,
} from './replay.js';
import type { Row, Table } from './report.js';
import { reconnection, recovery } from './return.js';

export interface DisconnectionScale extends LogSizes {
  readonly latencyFiles: number;
}

type Measured = Map<string, { readonly shape: LogShape; readonly by: Record<string, Replayed> }>;

/** @param apache undefined where it is missing */
export async function disconnection(
  scale: DisconnectionScale,
  apache: Running | undefined,
): Promise<Table[]> {
  const measured: Measured = new Map();
  const { latency, returned } = await withThree(scale, apache, measured);
  await withOne(scale, measured);
  return [
    latency,
    {
      title:
        'Replay of a log, from the order to connect until it is empty, in brackets the ratio to one replica',
      columns: ['1 replica', '3 replicas'],
      base: '1 replica',
      rows: replayRows(measured),
    },
    { title: 'Coming back', columns: ['3 replicas'], rows: returned },
  ];
}

async function withThree(
  scale: DisconnectionScale,
  apache: Running | undefined,
  measured: Measured,
): Promise<{ readonly latency: Table; readonly returned: Row[] }> {
  const realm = await DrivenRealm.start(3);
  const column = '3 replicas';
  const returned: Row[] = [];
  const recovered = async (): Promise<void> => {
    const { pendingRecords } = await realm.volume();
    const what = `answering after kill -9, ${pendingRecords.toLocaleString('en')} records in the log`;
    returned.push({ what, unit: 's', figures: { [column]: await recovery(realm) } });
  };
  try {
    const latency = await putLatency(realm, apache, scale.latencyFiles);
    // Their log is not that of the first replay.
    await realm.startServers();
    await realm.drained();
    // The first log is made, and the gateway killed, with the servers really gone.
    await realm.stopServers();
    const replayed = await replayOf(smallFiles(scale), realm, async () => {
      await recovered();
      await realm.startServers();
    });
    note(measured, smallFiles(scale), column, replayed);
    for (const shape of [folders(scale), largeFiles(scale), paperLog]) {
      note(measured, shape, column, await replayOf(shape, realm));
    }
    returned.push(...(await reconnection(realm, 'small-files', scale.smallFiles)));
    return { latency, returned };
  } finally {
    await realm.stop();
  }
}

async function withOne(scale: DisconnectionScale, measured: Measured): Promise<void> {
  const realm = await DrivenRealm.start(1);
  try {
    for (const shape of [smallFiles(scale), folders(scale), largeFiles(scale), paperLog]) {
      note(measured, shape, '1 replica', await replayOf(shape, realm));
    }
  } finally {
    await realm.stop();
  }
}

function note(measured: Measured, shape: LogShape, column: string, replayed: Replayed): void {
  const found = measured.get(shape.name) ?? { shape, by: {} };
  found.by[column] = replayed;
  measured.set(shape.name, found);
}
