/** What a gateway tells of its Venus at /metrics, read when asked: above all what waits, and how near the bounds. */
import { Gauge, Registry } from 'prom-client';
import type { ConflictKind, Venus, VolumeState } from '../venus/interface.js';
import type { Clock } from '../vice/seam/clock.js';

type Reading = (volume: VolumeState) => number;

const states: readonly VolumeState['state'][] = [
  'hoarding',
  'write-disconnected',
  'emulating',
  'reintegrating',
  'resolving',
];

const conflictKinds: readonly ConflictKind[] = ['versions', 'name', 'removal', 'place'];

/** A registry with gauges that read `venus`. */
export function venusMetrics(venus: Pick<Venus, 'state' | 'conflicts'>, clock: Clock): Registry {
  const registry = new Registry();
  const registers = [registry];
  const volumes = (name: string, help: string, read: Reading): Gauge =>
    new Gauge({
      name,
      help,
      labelNames: ['volume'],
      registers,
      collect() {
        this.reset();
        for (const volume of venus.state().volumes) this.set({ volume: volume.name }, read(volume));
      },
    });
  const age: Reading = ({ oldestPending }) =>
    oldestPending === null ? 0 : Math.max(0, (clock.wall() - oldestPending) / 1000);
  volumes('coda_log_pending_records', 'Records that wait for the servers', (volume) => volume.pendingRecords);
  volumes('coda_log_pending_bytes', 'Bytes of contents that wait', (volume) => volume.pendingBytes);
  volumes(
    'coda_log_limit_records',
    'Records at which new contents are refused',
    (volume) => volume.limitRecords,
  );
  volumes('coda_log_limit_bytes', 'Bytes at which new contents are refused', (volume) => volume.limitBytes);
  keptRecords(venus, registers);
  volumes('coda_log_oldest_seconds', 'Age of the oldest record that waits', age);
  volumes(
    'coda_replay_records_per_second',
    'Rate of the replay',
    ({ replay }) => replay?.recordsPerSecond ?? 0,
  );
  volumes('coda_replay_bytes_per_second', 'Rate of the replay', ({ replay }) => replay?.bytesPerSecond ?? 0);
  new Gauge({
    name: 'coda_volume_state',
    help: 'Whether the volume is in this state',
    labelNames: ['volume', 'state'],
    registers,
    collect() {
      this.reset();
      for (const volume of venus.state().volumes) {
        for (const name of states)
          this.set({ volume: volume.name, state: name }, volume.state === name ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: 'coda_server_reachable',
    help: 'Whether the server is reached',
    labelNames: ['server'],
    registers,
    collect() {
      this.reset();
      for (const { name, reachable } of venus.state().servers) this.set({ server: name }, reachable ? 1 : 0);
    },
  });
  new Gauge({
    name: 'coda_conflicts',
    help: 'What people must decide about, as far as this gateway knows',
    labelNames: ['kind'],
    registers,
    collect() {
      const counts = venus.conflicts.count();
      for (const kind of conflictKinds) this.set({ kind }, counts[kind] ?? 0);
    },
  });
  return registry;
}

function keptRecords(venus: Pick<Venus, 'state'>, registers: Registry[]): void {
  new Gauge({
    name: 'coda_log_kept_records',
    help: 'Records refused for good and kept, those of deleted volumes, too',
    labelNames: ['volume'],
    registers,
    collect() {
      this.reset();
      const { volumes: there, deletedVolumes } = venus.state();
      // A new volume may have the name of a deleted one.
      for (const { name, keptRecords } of [...there, ...deletedVolumes])
        this.inc({ volume: name }, keptRecords);
    },
  });
}
