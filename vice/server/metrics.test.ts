/** What Prometheus reads of the volumes of a server. */
import t from 'tap';
import { serverMetrics, type Readings, type VolumeReading } from './metrics.js';

const plain: VolumeReading = {
  volume: '7f000001',
  stamp: 3,
  usedBytes: 10,
  conflicts: 0,
  unsettled: 0,
  behind: 0,
  quotaBytes: null,
  isLocked: false,
  snapshots: 0,
  comingSnapshots: 0,
  standing: 'member',
};

function linesOf(volumes: readonly VolumeReading[]): Promise<readonly string[]> {
  const scrub: Readings['scrub'] = () => ({ open: 0, running: false, healed: 0, endedAt: null, bytes: 0 });
  const metrics = serverMetrics({
    sessions: () => new Map(),
    stagedBytes: () => 0,
    scrub,
    volumes: async () => volumes,
  });
  return metrics
    .text()
    .then(({ body }) => body.split('\n').filter((line) => line.startsWith('vice_volume_')));
}

t.test('quota, lock, snapshots and replicas on their way', async (t) => {
  const other = { volume: '7f000002', quotaBytes: 1000, isLocked: true, snapshots: 2 };
  const lines = await linesOf([plain, { ...plain, ...other, standing: 'leaving' }]);
  const of = (name: string): readonly string[] =>
    lines
      .filter((line) => line.startsWith(`vice_volume_${name}{`))
      .map((line) => line.slice(12 + name.length));
  t.same(of('used_bytes'), ['{volume="7f000001"} 10', '{volume="7f000002"} 10']);
  t.same(of('quota_bytes'), ['{volume="7f000002"} 1000'], 'where there is none nothing is said');
  t.same(of('locked'), ['{volume="7f000001"} 0', '{volume="7f000002"} 1']);
  t.same(of('snapshots'), ['{volume="7f000001"} 0', '{volume="7f000002"} 2']);
  t.same(
    of('on_its_way').filter((line) => line.endsWith(' 1')),
    ['{volume="7f000002",state="leaving"} 1'],
  );
});
