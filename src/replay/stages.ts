import type { StageTally } from '../engine/pipeline.ts';

/** What each program of a pipeline did since it was looked at before. */
export function stagesSince(before: readonly StageTally[], now: readonly StageTally[]): StageTally[] {
  return now.map((stage, index) => {
    const verdicts = before[index]?.verdicts ?? {};
    return {
      ...stage,
      packets: stage.packets - (before[index]?.packets ?? 0),
      verdicts: Object.fromEntries(
        Object.entries(stage.verdicts).flatMap(([name, count]) => {
          const more = count - (verdicts[name] ?? 0);
          return more === 0 ? [] : [[name, more]];
        }),
      ),
    };
  });
}
